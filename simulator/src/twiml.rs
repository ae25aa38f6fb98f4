//! Reads the TwiML that answers an inbound message.

use quick_xml::{Reader, events::Event};

/// Texts of one answer at most.
const MESSAGES_MAX: usize = 10;

/// Why an answer could not be read; Twilio reports it as 12100.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TwimlError {
    #[error("the answer is not well-formed XML: {0}")]
    Malformed(String),
    #[error("the answer's root is not <Response>")]
    NotAResponse,
    #[error("the answer holds more than {MESSAGES_MAX} messages")]
    TooMany,
}

/// The texts of the `<Message>` verbs, in order. An empty answer has none, other verbs are passed
/// over, and the text is that of `<Body>` or of the verb itself.
pub(crate) fn messages(twiml: &str) -> Result<Vec<String>, TwimlError> {
    let mut reader = Reader::from_str(twiml);
    let mut path: Vec<String> = Vec::new();
    let mut seen_root = false;
    let mut texts: Vec<String> = Vec::new();
    loop {
        let event = reader.read_event().map_err(malformed)?;
        match event {
            Event::Start(tag) => {
                let name = tag.local_name().into_inner().to_owned();
                enter(&mut path, &mut seen_root, &mut texts, name)?;
            }
            Event::Empty(tag) => {
                let name = tag.local_name().into_inner().to_owned();
                enter(&mut path, &mut seen_root, &mut texts, name)?;
                path.pop();
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) => append(&path, &mut texts, &text.xml10_content()),
            Event::CData(text) => append(&path, &mut texts, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref().map_err(malformed)? {
                    Some(char) => char.to_string(),
                    None => quick_xml::escape::resolve_xml_entity(&reference.xml10_content())
                        .ok_or_else(|| TwimlError::Malformed("unknown entity".to_owned()))?
                        .to_owned(),
                };
                append(&path, &mut texts, &resolved);
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if !path.is_empty() {
        return Err(TwimlError::Malformed("an element is not closed".to_owned()));
    }
    if !seen_root && !twiml.trim().is_empty() {
        return Err(TwimlError::NotAResponse);
    }
    let texts = texts.iter().map(|text| text.trim().to_owned());
    Ok(texts.filter(|text| !text.is_empty()).collect())
}

fn malformed(error: impl ToString) -> TwimlError {
    TwimlError::Malformed(error.to_string())
}

fn enter(
    path: &mut Vec<String>,
    seen_root: &mut bool,
    texts: &mut Vec<String>,
    name: String,
) -> Result<(), TwimlError> {
    if path.is_empty() {
        if *seen_root || name != "Response" {
            return Err(TwimlError::NotAResponse);
        }
        *seen_root = true;
    }
    if path.len() == 1 && name == "Message" {
        if texts.len() == MESSAGES_MAX {
            return Err(TwimlError::TooMany);
        }
        texts.push(String::new());
    }
    path.push(name);
    Ok(())
}

fn append(path: &[String], texts: &mut [String], text: &str) {
    let inside = match path {
        [_, verb] => verb == "Message",
        [_, verb, noun] => verb == "Message" && noun == "Body",
        _ => false,
    };
    if inside && let Some(last) = texts.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(twiml: &str, expected: &[&str]) {
        let expected = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(messages(twiml), Ok(expected), "{twiml}");
    }

    #[test]
    fn answers() {
        check("", &[]);
        check("<Response/>", &[]);
        check(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Message>Hi &amp; bye &#33;</Message></Response>",
            &["Hi & bye !"],
        );
        check(
            "<Response><Message>\n  <Body>One <![CDATA[<2>]]></Body>\n  <Media>https://example.com/a.png</Media></Message><Message>Two</Message></Response>",
            &["One <2>", "Two"],
        );
        check("<Response><Redirect>/other</Redirect></Response>", &[]);
    }

    #[test]
    fn what_twilio_refuses() {
        for bad in ["OK", "<html></html>", "{}", "<Response/><Response/>"] {
            assert_eq!(messages(bad), Err(TwimlError::NotAResponse), "{bad}");
        }
        for bad in ["<Response><Message>", "<Response><Message></Response>"] {
            assert!(matches!(messages(bad), Err(TwimlError::Malformed(_))), "{bad}");
        }
    }
}
