//! What pages are made of.

pub mod badge;
pub mod button;
pub mod card;
pub mod dialog;
pub mod empty;
pub mod failure;
pub mod field;
pub mod filter_input;
pub mod frame;
pub mod icon;
pub mod load;
pub mod page;
pub mod palette;
pub mod person;
pub mod progress;
pub mod skeleton;
pub mod table;
pub mod tabs;
pub mod time;
pub mod toast;

pub use badge::{Badge, Tone};
pub use button::{Button, ButtonKind, LinkButton};
pub use card::{Card, Fact, Facts, Stat, Stats};
pub use dialog::{Confirm, Dialog};
pub use empty::Empty;
pub use failure::{FailureNote, FailurePanel, field_error};
pub use field::{Choice, Field, Select, TextArea, TextInput};
pub use filter_input::FilterInput;
pub use load::Load;
pub use page::Page;
pub use progress::ProgressBar;
pub use skeleton::{LinesSkeleton, TableSkeleton};
pub use table::{NextPage, Table};
pub use tabs::Tabs;
pub use time::When;
pub use toast::Toasts;
