//! The table `users`.

use crate::{Error, Result};
use chrono::{DateTime, Utc};
use domain::{consent::ConsentView, ids::UserId, phone::Phone, user::User};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub phone: Option<String>,
    pub whatsapp_id: Option<String>,
    pub name: Option<String>,
    pub locale: Option<String>,
    pub zone: Option<String>,
    pub attributes: Json,
    pub merged_into: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The person with these consents.
    pub fn into_user(self, consents: Vec<ConsentView>) -> Result<User> {
        let Json::Object(attributes) = self.attributes else {
            return Err(Error::internal(format!("the attributes of {} are no object", self.id)));
        };
        Ok(User {
            id: UserId(self.id),
            phone: self.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?,
            whatsapp_id: self.whatsapp_id,
            name: self.name,
            locale: self.locale,
            zone: self.zone,
            attributes,
            consents,
            merged_into: self.merged_into.map(UserId),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
