//! The peer of pages: fifty people as sea-orm reads them by their key, as JSON through axum. No key is checked, no filter read, no
//! consent joined, no cursor signed: what a page costs that does nothing but list rows.
//!
//! It is this program once more, as a process of its own, so that what it takes can be told apart.

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, Database, DatabaseConnection, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Deserialize;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;
use uuid::Uuid;

/// What it says before its address once it listens.
pub const READY: &str = "Listening:";
/// Where it lists people.
pub const PATH: &str = "/people";
/// How many people a page has.
const PAGE_ROWS: u64 = 50;

/// People, by what a list shows of them.
mod person {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub phone: Option<String>,
        pub name: Option<String>,
        pub locale: Option<String>,
        pub zone: Option<String>,
        pub attributes: Json,
        pub created_at: super::DateTime<super::Utc>,
        pub updated_at: super::DateTime<super::Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Where a page begins.
#[derive(Deserialize)]
struct Place {
    before: Option<Uuid>,
}

/// Lists the people of a database until it is killed.
pub async fn serve(database: &str) -> Result<()> {
    let people = Database::connect(database).await.context("the database is not there")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{READY} {}", listener.local_addr()?);
    let router = Router::new().route(PATH, routing::get(page)).with_state(people);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn page(
    State(people): State<DatabaseConnection>,
    Query(place): Query<Place>,
) -> Result<Json<Vec<person::Model>>, StatusCode> {
    let mut found = person::Entity::find().order_by_desc(person::Column::Id).limit(PAGE_ROWS);
    if let Some(before) = place.before {
        found = found.filter(person::Column::Id.lt(before));
    }
    found.all(&people).await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
