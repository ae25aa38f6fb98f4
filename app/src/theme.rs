//! Light, dark, or as the system says.

use leptos::prelude::*;

/// The key in the browser's storage, and the attribute of the root element (`data-theme`).
const KEY: &str = "theme";

/// Sets the chosen theme while the document's head is read.
#[cfg(feature = "ssr")]
pub const BEFORE_PAINT: &str =
    "try{var t=localStorage.getItem('theme');if(t)document.documentElement.dataset.theme=t}catch(e){}";

/// A theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All of them, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in storage; none for the system's.
    const fn stored(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// The word on the switch.
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// What this browser remembers. Storage may be forbidden; then it is the system's.
    pub fn remembered() -> Self {
        let stored = window().local_storage().ok().flatten().and_then(|storage| storage.get_item(KEY).ok().flatten());
        Self::ALL.into_iter().find(|theme| theme.stored() == stored.as_deref()).unwrap_or_default()
    }

    /// Shows the theme, and remembers it if the browser lets us.
    pub fn apply(self) {
        if let Some(root) = document().document_element() {
            // Neither call can fail for this constant name.
            let _ = match self.stored() {
                Some(word) => root.set_attribute("data-theme", word),
                None => root.remove_attribute("data-theme"),
            };
        }
        if let Ok(Some(storage)) = window().local_storage() {
            let _ = match self.stored() {
                Some(word) => storage.set_item(KEY, word),
                None => storage.remove_item(KEY),
            };
        }
    }
}
