//! Pages of lists, by keyset cursors.

use serde::{Deserialize, Serialize};

/// How many rows a page may hold at the most.
pub const LIMIT_MAX: u32 = 200;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows that were read one more than `limit`; `cursor` names a row's place.
    pub fn cut(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(cursor) } else { None };
        Self { rows, next }
    }

    /// The same page with other rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(f).collect(), next: self.next }
    }
}

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Where it begins; `None` for the first.
    pub after: Option<String>,
    /// How many rows, 1 to [`LIMIT_MAX`].
    pub limit: u32,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { after: None, limit: 50 }
    }
}

impl PageRequest {
    /// The page after this cursor.
    pub fn after(cursor: Option<String>) -> Self {
        Self { after: cursor, ..Self::default() }
    }

    /// The limit, brought into its range.
    pub fn limit(&self) -> u32 {
        self.limit.clamp(1, LIMIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_page_names_the_next_only_if_there_is_one() {
        let page = Page::cut(vec![1, 2, 3], 2, |n| n.to_string());
        assert_eq!(page, Page { rows: vec![1, 2], next: Some("2".into()) });
        let page = Page::cut(vec![1, 2], 2, |n| n.to_string());
        assert_eq!(page.next, None);
    }
}
