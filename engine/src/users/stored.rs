//! A page of people on its way out as JSON: attributes stay the text that they are stored as, since nobody looks into them here,
//! and columns are read by their place. It is what a page through the API costs most for.

use crate::{Result, db};
use chrono::{DateTime, Utc};
use domain::{consent::ConsentView, ids::UserId, phone::Channel};
use sea_orm::{ConnectionTrait, FromQueryResult, QueryResult, Value};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// What [`domain::user::User`] is, written out alike.
#[derive(Debug, Serialize)]
pub struct StoredUser {
    pub(super) id: UserId,
    phone: Option<String>,
    whatsapp_id: Option<String>,
    name: Option<String>,
    locale: Option<String>,
    zone: Option<String>,
    attributes: Box<RawValue>,
    consents: Vec<ConsentView>,
    merged_into: Option<UserId>,
    created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// In the order of [`StoredUser::from_query_result`].
const COLUMNS: &str =
    "u.id, u.phone, u.whatsapp_id, u.name, u.locale, u.zone, CAST(u.attributes AS text), u.merged_into, u.created_at,
    u.updated_at";

impl FromQueryResult for StoredUser {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, sea_orm::DbErr> {
        let on = |channel: Channel, place: usize| -> Result<Option<ConsentView>, sea_orm::DbErr> {
            let Some(state) = row.try_get_by_index::<Option<String>>(place)? else { return Ok(None) };
            let state = state.parse().map_err(|_| sea_orm::DbErr::Type(format!("no state of consent: {state}")))?;
            Ok(Some(ConsentView { channel, state, updated_at: row.try_get_by_index(place + 1)? }))
        };
        let (sms, whatsapp) = (on(Channel::Sms, 10)?, on(Channel::Whatsapp, 12)?);
        let attributes = RawValue::from_string(row.try_get_by_index(6)?);
        Ok(Self {
            id: UserId(row.try_get_by_index(0)?),
            phone: row.try_get_by_index(1)?,
            whatsapp_id: row.try_get_by_index(2)?,
            name: row.try_get_by_index(3)?,
            locale: row.try_get_by_index(4)?,
            zone: row.try_get_by_index(5)?,
            attributes: attributes.map_err(|error| sea_orm::DbErr::Json(error.to_string()))?,
            consents: sms.into_iter().chain(whatsapp).collect(),
            merged_into: row.try_get_by_index::<Option<Uuid>>(7)?.map(UserId),
            created_at: row.try_get_by_index(8)?,
            updated_at: row.try_get_by_index(9)?,
        })
    }
}

/// As [`super::read`].
pub(super) async fn read<C: ConnectionTrait>(
    conn: &C,
    which: &str,
    order: &str,
    values: Vec<Value>,
) -> Result<Vec<StoredUser>> {
    db::all(conn, &super::with_consents(COLUMNS, which, order), values).await
}
