//! The table `senders`.

use crate::Error;
use chrono::{DateTime, Utc};
use domain::{ids::SenderId, sender::Sender};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "senders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub channel: String,
    pub address: String,
    pub name: String,
    pub rate_per_second: i32,
    pub enabled: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Sender {
    type Error = Error;
    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: SenderId(row.id),
            channel: row.channel.parse()?,
            address: row.address,
            name: row.name,
            rate_per_second: row.rate_per_second.try_into().map_err(Error::internal)?,
            enabled: row.enabled,
            created_at: row.created_at,
        })
    }
}
