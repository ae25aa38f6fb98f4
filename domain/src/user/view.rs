//! Saved ways to look at the list of users.

use super::{UserColumns, UserSort};
use crate::ids::UserViewId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A saved view: everyone of the workspace sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserView {
    /// Its id.
    pub id: UserViewId,
    /// Its name.
    pub name: String,
    /// The filter, in canonical text.
    pub filter: String,
    /// The order.
    pub sort: UserSort,
    /// The columns.
    pub columns: UserColumns,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
}

/// What an operator saves as a view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserViewForm {
    /// The name; one that is there already is saved over.
    pub name: String,
    /// The filter.
    pub filter: String,
    /// The order.
    pub sort: UserSort,
    /// The columns.
    pub columns: UserColumns,
}
