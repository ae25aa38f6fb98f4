//! Cursors of pages: opaque to callers, and signed, so that nobody makes up one.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use engine::api_keys::CursorKey;

/// How many pages back a cursor remembers the way.
const TRAIL_MAX: usize = 20;
const TAG_BYTES: usize = 16;

/// Where a page begins, and where those before it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The beginnings of the pages up to this one, the first page's left out.
    trail: Vec<String>,
    /// Whether the way back to the first page is longer than what is remembered.
    is_cut: bool,
}

impl Place {
    /// After which row the page begins; `None` for the first.
    pub fn after(&self) -> Option<&str> {
        self.trail.last().map(String::as_str)
    }

    /// The page behind this one.
    pub fn next(&self, after: String) -> Self {
        let mut trail = self.trail.clone();
        trail.push(after);
        let over = trail.len().saturating_sub(TRAIL_MAX);
        trail.drain(..over);
        Self { trail, is_cut: self.is_cut || over > 0 }
    }

    /// The page before this one; `None` on the first, and where the way back is not remembered.
    pub fn prev(&self) -> Option<Self> {
        let mut trail = self.trail.clone();
        trail.pop()?;
        (!trail.is_empty() || !self.is_cut).then_some(Self { trail, is_cut: self.is_cut })
    }
}

/// Writes and reads cursors.
#[derive(Clone)]
pub struct Cursors(CursorKey);

impl Cursors {
    /// With this key.
    pub fn new(key: CursorKey) -> Self {
        Self(key)
    }

    /// A place as text.
    pub fn write(&self, place: &Place) -> String {
        let content = serde_json::json!([place.is_cut, place.trail]).to_string();
        let mut bytes = self.0.tag(content.as_bytes()).to_vec();
        bytes.extend(content.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that a text of ours means.
    pub fn read(&self, text: &str) -> Option<Place> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tag, content) = bytes.split_at_checked(TAG_BYTES)?;
        if !self.0.verifies(content, tag) {
            return None;
        }
        let (is_cut, trail) = serde_json::from_slice(content).ok()?;
        Some(Place { trail, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_the_way_there() {
        let first = Place::default();
        let third = first.next("a".into()).next("b".into());
        assert_eq!((third.after(), third.prev()), (Some("b"), Some(first.next("a".into()))));
        assert_eq!(first.next("a".into()).prev(), Some(first.clone()));
        assert_eq!(first.prev(), None);
        let far = (0..50).fold(first, |place, n| place.next(n.to_string()));
        let back = std::iter::successors(Some(far), Place::prev).count();
        assert_eq!(back, TRAIL_MAX, "it ends rather than jumps to the first page");
    }
}
