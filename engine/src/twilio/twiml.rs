//! TwiML: what an inbound webhook answers.

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use std::io;

/// The content type of the answer.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// An answer that sends one text back, or none: Twilio answers opt-out words by itself, and a second answer would be a
/// message to someone who just said stop.
pub fn reply(text: Option<&str>) -> String {
    let text = text.map(printable).filter(|text| !text.is_empty());
    let mut xml = Writer::new(Vec::new());
    write(&mut xml, text.as_deref()).expect("writing to memory does not fail");
    String::from_utf8(xml.into_inner()).expect("the parts are all UTF-8")
}

fn write(xml: &mut Writer<Vec<u8>>, text: Option<&str>) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let response = xml.create_element("Response");
    match text {
        None => response.write_empty()?,
        Some(text) => response.write_inner_content(|xml| {
            xml.create_element("Message").write_text_content(BytesText::new(text))?;
            Ok(())
        })?,
    };
    Ok(())
}

/// A text without the characters that XML 1.0 (section 2.2) cannot hold, escaped or not.
fn printable(text: &str) -> String {
    let allowed =
        |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    text.chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quick_xml::Reader;

    const EMPTY: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

    #[track_caller]
    fn check(text: Option<&str>, expected: &str) {
        assert_eq!(reply(text), expected);
    }

    #[test]
    fn replies() {
        check(None, EMPTY);
        check(Some(""), EMPTY);
        check(Some("\u{0}\u{1b}"), EMPTY);
        let message = |text: &str| {
            format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>{text}</Message></Response>"#)
        };
        check(Some("Bis bald! 👋"), &message("Bis bald! 👋"));
        check(Some("a\u{7}b\n"), &message("ab\n"));
        check(Some("<Redirect>&amp;</Redirect>"), &message("&lt;Redirect&gt;&amp;amp;&lt;/Redirect&gt;"));
    }

    proptest! {
        /// No text can add an element of its own, and it comes back as it was.
        #[test]
        fn a_text_stays_a_text(text in "\\PC{0,40}") {
            let xml = reply(Some(&text));
            let mut reader = Reader::from_str(&xml);
            let (mut elements, mut content) = (0, String::new());
            loop {
                match reader.read_event().unwrap() {
                    Event::Start(_) | Event::Empty(_) => elements += 1,
                    Event::Text(part) => content.push_str(&part.xml10_content()),
                    Event::GeneralRef(reference) => match reference.resolve_char_ref().unwrap() {
                        Some(c) => content.push(c),
                        None => content.push_str(
                            quick_xml::escape::resolve_xml_entity(&reference.xml10_content()).unwrap(),
                        ),
                    },
                    Event::Eof => break,
                    _ => {}
                }
            }
            prop_assert_eq!(elements, if text.is_empty() { 1 } else { 2 });
            prop_assert_eq!(content, text);
        }
    }
}
