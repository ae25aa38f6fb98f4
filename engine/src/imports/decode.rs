//! A file's bytes as UTF-8, whatever they were.

use encoding_rs::{Decoder, Encoding};
use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many bytes are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads UTF-8 out of another encoding. What cannot be decoded becomes U+FFFD, which the cleaning of rows refuses by line;
/// a byte order mark is taken off.
pub struct Utf8Reader<R> {
    input: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// Where in `text` the reader stands.
    at: usize,
    ended: bool,
    /// How many bytes of the file were read.
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Utf8Reader<R> {
    /// Reads `input`; `bytes` counts what was taken from it.
    pub fn new(input: R, encoding: &'static Encoding, bytes: Arc<AtomicU64>) -> Self {
        let decoder = encoding.new_decoder();
        Self { input, decoder, raw: vec![0; CHUNK_BYTES], text: Vec::new(), at: 0, ended: false, bytes }
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = self.input.read(&mut self.raw)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        self.ended = count == 0;
        let room = self.decoder.max_utf8_buffer_length(count).unwrap_or(CHUNK_BYTES * 3 + 16);
        self.text.resize(room, 0);
        let (_, _, written, _) = self.decoder.decode_to_utf8(&self.raw[..count], &mut self.text, self.ended);
        self.text.truncate(written);
        self.at = 0;
        Ok(())
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let count = out.len().min(self.text.len() - self.at);
        out[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{UTF_8, UTF_16LE, WINDOWS_1252};

    /// Gives one byte at a time, so that characters are cut.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            out[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn encodings_become_utf8() {
        let utf16: Vec<u8> = "\u{feff}Zoë 🎉".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cases: &[(&[u8], &'static Encoding, &str)] = &[
            (b"", UTF_8, ""),
            (b"\xef\xbb\xbfa", UTF_8, "a"),
            ("Zoë".as_bytes(), UTF_8, "Zoë"),
            (b"Zo\xeb", UTF_8, "Zo\u{fffd}"),
            (b"Zo\xeb", WINDOWS_1252, "Zoë"),
            (&utf16, UTF_16LE, "Zoë 🎉"),
        ];
        for (bytes, encoding, expected) in cases {
            let counted = Arc::new(AtomicU64::new(0));
            let mut text = String::new();
            Utf8Reader::new(Slow(bytes), encoding, counted.clone()).read_to_string(&mut text).unwrap();
            assert_eq!(text, *expected);
            assert_eq!(counted.load(Ordering::Relaxed), bytes.len() as u64);
        }
    }
}
