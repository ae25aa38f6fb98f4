//! Tables that are read and written row by row: a model each, and its way into the type of `domain`.
//!
//! Hot and bulk statements are written as SQL where they are used; these models serve them as the type of a row.

pub mod segment;
pub mod sender;
pub mod template;
pub mod template_version;
pub mod topic;
pub mod user;
