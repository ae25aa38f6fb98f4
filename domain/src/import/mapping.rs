//! Which column is what.

use super::MAX_COLUMNS;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The most bytes of an attribute's name.
const MAX_ATTRIBUTE_BYTES: usize = 60;
const ATTRIBUTE_PREFIX: &str = "attributes.";

/// What a column holds. On the wire a word: `phone`, `consent_sms`, `attributes.city`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    /// The phone number.
    Phone,
    /// The name.
    Name,
    /// The language.
    Locale,
    /// The time zone.
    Zone,
    /// The WhatsApp id (BSUID).
    WhatsappId,
    /// Whether the person agreed to SMS.
    ConsentSms,
    /// Whether the person agreed to WhatsApp.
    ConsentWhatsapp,
    /// Topics, separated by commas.
    Topics,
    /// A custom attribute of this name.
    Attribute(String),
}

/// A word names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a field")]
pub struct UnknownField(pub String);

/// The fields with a word of their own.
const PLAIN_FIELDS: &[(Field, &str)] = &[
    (Field::Phone, "phone"),
    (Field::Name, "name"),
    (Field::Locale, "locale"),
    (Field::Zone, "zone"),
    (Field::WhatsappId, "whatsapp_id"),
    (Field::ConsentSms, "consent_sms"),
    (Field::ConsentWhatsapp, "consent_whatsapp"),
    (Field::Topics, "topics"),
];

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, PLAIN_FIELDS.iter().find(|(field, _)| field == self)) {
            (Self::Attribute(name), _) => write!(f, "{ATTRIBUTE_PREFIX}{name}"),
            (_, word) => f.write_str(word.map_or("", |(_, word)| word)),
        }
    }
}

impl FromStr for Field {
    type Err = UnknownField;
    fn from_str(text: &str) -> Result<Self, UnknownField> {
        if let Some(name) = text.strip_prefix(ATTRIBUTE_PREFIX).filter(|name| is_attribute_name(name)) {
            return Ok(Self::Attribute(name.to_owned()));
        }
        let plain = PLAIN_FIELDS.iter().find(|(_, word)| *word == text);
        plain.map(|(field, _)| field.clone()).ok_or_else(|| UnknownField(text.to_owned()))
    }
}

impl TryFrom<String> for Field {
    type Error = UnknownField;
    fn try_from(text: String) -> Result<Self, UnknownField> {
        text.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

/// Whether a word can be an attribute's name: what a template can write after `attributes.`, in lower case.
pub fn is_attribute_name(name: &str) -> bool {
    (1..=MAX_ATTRIBUTE_BYTES).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Column index → field; `None` leaves the column out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mapping {
    /// One entry for each column of the file.
    pub columns: Vec<Option<Field>>,
}

/// Why a mapping cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Nothing to reach people by.
    #[error("no column is the phone number or the WhatsApp id")]
    NoAddress,
    /// Two columns for one thing.
    #[error("two columns are mapped to \"{0}\"")]
    Twice(Field),
    /// More than [`MAX_COLUMNS`].
    #[error("the file has more than {MAX_COLUMNS} columns")]
    TooManyColumns,
}

impl Mapping {
    /// Whether rows can be read by it.
    ///
    /// # Errors
    /// The first thing that stands against it.
    pub fn check(&self) -> Result<(), MappingError> {
        if self.columns.len() > MAX_COLUMNS {
            return Err(MappingError::TooManyColumns);
        }
        let fields: Vec<&Field> = self.columns.iter().flatten().collect();
        if let Some(twice) = fields.iter().enumerate().find(|(i, field)| fields[..*i].contains(field)) {
            return Err(MappingError::Twice((*twice.1).clone()));
        }
        let has_address = fields.iter().any(|field| matches!(field, Field::Phone | Field::WhatsappId));
        if has_address { Ok(()) } else { Err(MappingError::NoAddress) }
    }
}

/// Headers that name a field, the surest first; in English, German, French, Spanish, Portuguese, Italian, Dutch,
/// Russian, Chinese and Japanese as exports write them. Letters and digits only.
const HEADERS: &[(Field, &str)] = &[
    (
        Field::Phone,
        "phone phonenumber e164 mobile mobilenumber mobilephone mobileno phoneno cell cellphone cellnumber msisdn \
        whatsappnumber whatsappphone tel telephone telephonenumber contactnumber smsnumber handy handynummer telefon \
        telefonnummer mobil mobilnummer mobiltelefon rufnummer téléphone portable numérodetéléphone mobiele \
        telefoonnummer teléfono telefono móvil movil celular númerodeteléfono numerodetelefono telefone telemóvel \
        telemovel cellulare numeroditelefono телефон номертелефона 手机 手机号 电话 電話番号 携帯電話 phone1 whatsapp number",
    ),
    (
        Field::Name,
        "name fullname customername contactname displayname vollständigername kundenname nomcomplet nombrecompleto \
        nomecompleto имя фио 姓名 氏名 名前 nombre nome nom naam firstname givenname vorname prénom prenom",
    ),
    (
        Field::Locale,
        "locale language lang languagecode preferredlanguage sprache langue idioma lingua taal язык 语言 言語",
    ),
    (
        Field::Zone,
        "timezone tz ianatimezone zone zeitzone fuseauhoraire zonahoraria fusohorario fusoorario tijdzone часовойпояс 时区",
    ),
    (Field::WhatsappId, "whatsappid bsuid whatsappuserid externaluserid"),
    (
        Field::ConsentSms,
        "consentsms smsconsent smsoptin optinsms smsoptedin acceptssmsmarketing smsmarketingconsent smsmarketing \
        smspermission smseinwilligung consentementsms consentimientosms consentimentosms consensosms",
    ),
    (
        Field::ConsentWhatsapp,
        "consentwhatsapp whatsappconsent whatsappoptin optinwhatsapp whatsappoptedin whatsappmarketing \
        whatsappeinwilligung consentementwhatsapp consentimientowhatsapp consentimentowhatsapp consensowhatsapp",
    ),
    (Field::Topics, "topics topic subscriptions themen thèmes sujets temas tópicos argomenti темы"),
];

/// Proposes what each column is, by its header and by what stands in some rows. Headers that name no field become
/// attributes. A person looks at the proposal before anything is read.
pub fn guess_mapping(headers: &[impl AsRef<str>], sample: &[Vec<String>]) -> Mapping {
    let count = headers.len().min(MAX_COLUMNS);
    let folded: Vec<String> = headers.iter().take(count).map(|header| fold(header.as_ref())).collect();
    let mut columns: Vec<Option<Field>> = vec![None; count];
    for (field, names) in HEADERS {
        let by_header = names.split_whitespace().find_map(|name| {
            let fits = |column: &usize| {
                columns[*column].is_none() && folded[*column] == name && !contradicts(field, sample, *column)
            };
            (0..count).find(fits)
        });
        if let Some(column) = by_header.or_else(|| by_content(field, sample, &columns)) {
            columns[column] = Some(field.clone());
        }
    }
    for column in 0..count {
        if columns[column].is_none() {
            let attribute = slug(headers[column].as_ref()).map(Field::Attribute);
            columns[column] = attribute.filter(|attribute| !columns.contains(&Some(attribute.clone())));
        }
    }
    Mapping { columns }
}

/// A header without case, spaces and punctuation.
fn fold(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A header as an attribute's name, if enough of it is Latin letters.
fn slug(header: &str) -> Option<String> {
    let mut name = String::new();
    for c in header.trim().chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            _ => {}
        }
    }
    let name = name.trim_matches('_').to_owned();
    is_attribute_name(&name).then_some(name)
}

fn cells(sample: &[Vec<String>], column: usize) -> impl Iterator<Item = &str> {
    sample.iter().filter_map(move |row| row.get(column)).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
}

/// How many of a column's cells, in percent, look like the field; `None` if all are empty or the look says nothing.
fn likeness_percent(field: &Field, sample: &[Vec<String>], column: usize) -> Option<usize> {
    let looks: fn(&str) -> bool = match field {
        Field::Phone => looks_like_phone,
        Field::Zone => looks_like_zone,
        _ => return None,
    };
    let total = cells(sample, column).count();
    let alike = cells(sample, column).filter(|cell| looks(cell)).count();
    (total > 0).then(|| 100 * alike / total)
}

/// A column "Number" of row numbers is no phone.
fn contradicts(field: &Field, sample: &[Vec<String>], column: usize) -> bool {
    likeness_percent(field, sample, column).is_some_and(|percent| percent < 50)
}

/// The column that most looks like the field, where no header names it.
fn by_content(field: &Field, sample: &[Vec<String>], columns: &[Option<Field>]) -> Option<usize> {
    (0..columns.len())
        .filter(|column| columns[*column].is_none())
        .filter_map(|column| Some((likeness_percent(field, sample, column)?, column)))
        .filter(|(percent, _)| *percent >= 80)
        .max_by_key(|(percent, column)| (*percent, std::cmp::Reverse(*column)))
        .map(|(_, column)| column)
}

/// Seven digits or more with what is written between them; a rounded number is a phone number too, though a lost one.
fn looks_like_phone(cell: &str) -> bool {
    let bare = cell.strip_prefix("whatsapp:").unwrap_or(cell);
    let digits = bare.chars().filter(char::is_ascii_digit).count();
    let rounded = bare.to_ascii_uppercase().contains("E+1");
    let dated = bare.len() == 10 && bare.matches('-').count() == 2 && bare.find('-') == Some(4);
    rounded
        || ((7..=17).contains(&digits)
            && !dated
            && bare.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+().-/'".contains(c)))
}

fn looks_like_zone(cell: &str) -> bool {
    let areas =
        ["Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Etc", "Europe", "Indian", "Pacific"];
    let is_place = |(area, place): (&str, &str)| areas.contains(&area) && place.starts_with(char::is_alphabetic);
    cell == "UTC" || cell.split_once('/').is_some_and(is_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], rows: &[&[&str]], expected: &str) {
        let sample: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let found = guess_mapping(headers, &sample);
        let words: Vec<String> =
            found.columns.iter().map(|field| field.as_ref().map_or("-".to_owned(), ToString::to_string)).collect();
        assert_eq!(words.join(" "), expected, "{headers:?}");
    }

    #[test]
    fn headers_are_known_in_several_languages() {
        check(&["Phone Number", "Full name", "City"], &[], "phone name attributes.city");
        check(&["Handynummer", "Vorname", "PLZ / Ort"], &[], "phone name attributes.plz_ort");
        check(&["Téléphone", "Prénom", "Langue"], &[], "phone name locale");
        check(&["Móvil", "Nombre completo", "Zona horaria"], &[], "phone name zone");
        check(&["Телефон", "Имя", "Город"], &[], "phone name -");
        check(
            &["SMS opt-in", "consent_whatsapp", "Topics", "BSUID"],
            &[],
            "consent_sms consent_whatsapp topics whatsapp_id",
        );
        // The surer header wins, and the other stays as an attribute.
        check(&["First name", "Name", "Tel", "Mobile"], &[], "attributes.first_name name attributes.tel phone");
        check(&["City", "city ", ""], &[], "attributes.city - -");
    }

    #[test]
    fn contents_speak_where_headers_do_not() {
        let rows: &[&[&str]] = &[&["1", "+14155552671", "Europe/Berlin"], &["2", "0151 1234567", "Asia/Kolkata"]];
        check(&["Number", "Contact", "Where"], rows, "attributes.number phone zone");
        check(&["Id", "Born"], &[&["17", "1990-04-01"]], "attributes.id attributes.born");
        check(&["a", "b"], &[&["x", "9.477E+10"]], "attributes.a phone");
        check(&["Time zone", "Mobile"], &[&["UTC", "0151 1234567"], &["Etc/GMT-3", ""]], "zone phone");
    }

    #[test]
    fn mappings_are_checked() {
        let mapping = |words: &str| Mapping { columns: words.split(' ').map(|word| word.parse().ok()).collect() };
        assert_eq!(mapping("phone name - attributes.a attributes.b").check(), Ok(()));
        assert_eq!(mapping("whatsapp_id").check(), Ok(()));
        assert_eq!(mapping("name").check(), Err(MappingError::NoAddress));
        assert_eq!(mapping("phone name name").check(), Err(MappingError::Twice(Field::Name)));
        assert_eq!(Mapping { columns: vec![None; MAX_COLUMNS + 1] }.check(), Err(MappingError::TooManyColumns));
    }

    #[test]
    fn fields_round_trip_as_words() {
        for (field, word) in PLAIN_FIELDS.iter().cloned().chain([(Field::Attribute("a_1".into()), "attributes.a_1")]) {
            assert_eq!(field.to_string(), word);
            assert_eq!(serde_json::from_str::<Field>(&format!("\"{word}\"")).expect("a well-formed example"), field);
        }
        for bad in ["", "attributes.", "attributes.A", "attributes.1", "attributes.a.b", "fax"] {
            assert_eq!(bad.parse::<Field>(), Err(UnknownField(bad.into())));
        }
    }
}
