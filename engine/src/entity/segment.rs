//! The table `segments`.

use chrono::{DateTime, Utc};
use domain::{ids::SegmentId, segment::Segment};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "segments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub filter: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Segment {
    fn from(row: Model) -> Self {
        Self { id: SegmentId(row.id), name: row.name, filter: row.filter, created_at: row.created_at }
    }
}
