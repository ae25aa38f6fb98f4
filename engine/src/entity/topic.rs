//! The table `topics`.

use crate::Error;
use chrono::{DateTime, Utc};
use domain::{ids::TopicId, topic::Topic};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "topics")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub key: String,
    pub name: String,
    pub kind: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A topic that nobody chose or left yet; whoever counted fills in the counts.
impl TryFrom<Model> for Topic {
    type Error = Error;
    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: TopicId(row.id),
            key: row.key,
            name: row.name,
            kind: row.kind.parse()?,
            subscribed: 0,
            unsubscribed: 0,
            created_at: row.created_at,
        })
    }
}
