//! A page of people on its way out as JSON: a row is written as the database sent it, without being taken apart first and put
//! together again. That is what a page through the API would cost most for.

use crate::{Result, db};
use chrono::{DateTime, Utc};
use domain::{consent::ConsentView, ids::UserId, phone::Channel};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeStruct as _},
};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What [`domain::user::User`] is, written out alike.
#[derive(Debug)]
pub struct StoredUser {
    pub(super) id: UserId,
    pub(super) updated_at: DateTime<Utc>,
    row: QueryResult,
}

const COLUMNS: &str =
    "u.id, u.phone, u.whatsapp_id, u.name, u.locale, u.zone, CAST(u.attributes AS text), u.merged_into, u.created_at,
    u.updated_at";
const ID: usize = 0;
const TEXTS: [(&str, usize); 5] = [("phone", 1), ("whatsapp_id", 2), ("name", 3), ("locale", 4), ("zone", 5)];
const ATTRIBUTES: usize = 6;
const MERGED_INTO: usize = 7;
const CREATED_AT: usize = 8;
const UPDATED_AT: usize = 9;
/// Where each channel's state stands, and behind it since when, as [`super::with_consents`] adds them.
const CONSENTS: [(Channel, usize); 2] = [(Channel::Sms, 10), (Channel::Whatsapp, 12)];

impl StoredUser {
    fn of(row: QueryResult) -> Result<Self> {
        Ok(Self { id: UserId(db::at(&row, ID)?), updated_at: db::at(&row, UPDATED_AT)?, row })
    }

    fn consents(&self) -> Result<Vec<ConsentView>, DbErr> {
        let mut consents = Vec::with_capacity(CONSENTS.len());
        for (channel, place) in CONSENTS {
            let Some(state) = db::at::<Option<&str>>(&self.row, place)? else { continue };
            let state = state.parse().map_err(|_| DbErr::Type(format!("no state of consent: {state}")))?;
            consents.push(ConsentView { channel, state, updated_at: db::at(&self.row, place + 1)? });
        }
        Ok(consents)
    }
}

impl Serialize for StoredUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let row = &self.row;
        let attributes: &RawValue =
            serde_json::from_str(db::at(row, ATTRIBUTES).map_err(S::Error::custom)?).map_err(S::Error::custom)?;
        let mut user = serializer.serialize_struct("User", TEXTS.len() + 6)?;
        user.serialize_field("id", &self.id)?;
        for (name, place) in TEXTS {
            user.serialize_field(name, &db::at::<Option<&str>>(row, place).map_err(S::Error::custom)?)?;
        }
        user.serialize_field("attributes", attributes)?;
        user.serialize_field("consents", &self.consents().map_err(S::Error::custom)?)?;
        user.serialize_field("merged_into", &db::at::<Option<Uuid>>(row, MERGED_INTO).map_err(S::Error::custom)?)?;
        user.serialize_field("created_at", &db::at::<DateTime<Utc>>(row, CREATED_AT).map_err(S::Error::custom)?)?;
        user.serialize_field("updated_at", &self.updated_at)?;
        user.end()
    }
}

/// As [`super::read`].
pub(super) async fn read<C: ConnectionTrait>(
    conn: &C,
    which: &str,
    order: &str,
    values: Vec<Value>,
) -> Result<Vec<StoredUser>> {
    let rows = db::rows(conn, &super::with_consents(COLUMNS, which, order), values).await?;
    rows.into_iter().map(StoredUser::of).collect()
}
