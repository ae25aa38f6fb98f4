//! The table `templates`: the name of a template, and the number of its newest version.

use super::template_version;
use crate::Result;
use chrono::{DateTime, Utc};
use domain::{ids::TemplateId, template::TemplateView};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "templates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub channel: String,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The template in this version.
    pub fn into_view(self, version: template_version::Model) -> Result<TemplateView> {
        Ok(TemplateView {
            id: TemplateId(self.id),
            name: self.name,
            channel: self.channel.parse()?,
            version: version.version,
            body: version.body,
            content_sid: version.content_sid,
            content_variables: serde_json::from_value(version.content_variables)?,
            locales: serde_json::from_value(version.locales)?,
            updated_at: version.created_at,
        })
    }
}
