//! `SentencePiece`'s `ModelProto` (`sentencepiece_model.proto`), as far as a tokenizer needs it.

/// A trained model of `SentencePiece`.
#[derive(Debug, PartialEq)]
pub(super) struct ModelProto {
    pub(super) pieces: Vec<Piece>,
    pub(super) trainer: Trainer,
    pub(super) normalizer: Normalizer,
}

/// An entry of the vocabulary. Its place is its id.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    /// 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    pub(super) kind: u64,
}

/// `TrainerSpec`. An id of -1 means that there is no such piece.
#[derive(Debug, PartialEq)]
pub(super) struct Trainer {
    /// 1 unigram, 2 byte pairs, 3 words, 4 characters.
    pub(super) model_type: u64,
    pub(super) byte_fallback: bool,
    pub(super) unk: (i64, String),
    pub(super) bos: (i64, String),
    pub(super) eos: (i64, String),
}

/// `NormalizerSpec`.
#[derive(Debug, PartialEq)]
pub(super) struct Normalizer {
    pub(super) charsmap: Vec<u8>,
    pub(super) add_dummy_prefix: bool,
    pub(super) remove_extra_whitespaces: bool,
    pub(super) escape_whitespaces: bool,
}

impl Default for Trainer {
    fn default() -> Self {
        let token = |id, text: &str| (id, text.to_owned());
        Self {
            model_type: 1,
            byte_fallback: false,
            unk: token(0, "<unk>"),
            bos: token(1, "<s>"),
            eos: token(2, "</s>"),
        }
    }
}

impl Default for Normalizer {
    fn default() -> Self {
        Self { charsmap: Vec::new(), add_dummy_prefix: true, remove_extra_whitespaces: true, escape_whitespaces: true }
    }
}

/// The value of a field.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Float(f32),
    Skipped,
}

impl Field<'_> {
    fn number(&self) -> u64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    fn flag(&self) -> bool {
        self.number() != 0
    }

    fn id(&self) -> i64 {
        self.number() as i64
    }

    fn bytes(&self) -> &[u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    fn text(&self) -> Option<String> {
        String::from_utf8(self.bytes().to_vec()).ok()
    }
}

impl ModelProto {
    /// Reads a model. `None` if the bytes are not one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut model = Self { pieces: Vec::new(), trainer: Trainer::default(), normalizer: Normalizer::default() };
        each(bytes, |number, field| {
            match number {
                1 => model.pieces.push(piece(field.bytes())?),
                2 => trainer(&mut model.trainer, field.bytes())?,
                3 => normalizer(&mut model.normalizer, field.bytes())?,
                _ => {}
            }
            Some(())
        })?;
        if model.pieces.is_empty() { None } else { Some(model) }
    }
}

fn piece(bytes: &[u8]) -> Option<Piece> {
    let mut piece = Piece { kind: 1, ..Piece::default() };
    each(bytes, |number, field| {
        match (number, field) {
            (1, field) => piece.text = field.text()?,
            (2, Field::Float(score)) => piece.score = *score,
            (3, field) => piece.kind = field.number(),
            _ => {}
        }
        Some(())
    })?;
    Some(piece)
}

fn trainer(spec: &mut Trainer, bytes: &[u8]) -> Option<()> {
    each(bytes, |number, field| {
        match number {
            3 => spec.model_type = field.number(),
            35 => spec.byte_fallback = field.flag(),
            40 => spec.unk.0 = field.id(),
            41 => spec.bos.0 = field.id(),
            42 => spec.eos.0 = field.id(),
            45 => spec.unk.1 = field.text()?,
            46 => spec.bos.1 = field.text()?,
            47 => spec.eos.1 = field.text()?,
            _ => {}
        }
        Some(())
    })
}

fn normalizer(spec: &mut Normalizer, bytes: &[u8]) -> Option<()> {
    each(bytes, |number, field| {
        match number {
            2 => spec.charsmap = field.bytes().to_vec(),
            3 => spec.add_dummy_prefix = field.flag(),
            4 => spec.remove_extra_whitespaces = field.flag(),
            5 => spec.escape_whitespaces = field.flag(),
            _ => {}
        }
        Some(())
    })
}

/// Calls `read` for each field of a message (<https://protobuf.dev/programming-guides/encoding>). `None` if the bytes
/// are not a message.
fn each(mut bytes: &[u8], mut read: impl FnMut(u64, &Field) -> Option<()>) -> Option<()> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => {
                take(&mut bytes, 8)?;
                Field::Skipped
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Field::Bytes(take(&mut bytes, length)?)
            }
            5 => Field::Float(f32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?)),
            _ => return None,
        };
        read(key >> 3, &field)?;
    }
    Some(())
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 127).checked_shl(shift).unwrap_or(0);
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes written by hand after the encoding's specification.
    #[test]
    fn a_model_of_one_piece_is_read() {
        let bytes = [
            &[0x0a, 0x0a, 0x0a, 0x01, b'a', 0x15, 0, 0, 0x80, 0x3f, 0x18, 4][..],
            &[0x12, 0x0f, 0x18, 2, 0xc8, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00][..16],
            &[0x1a, 2, 0x18, 0],
        ];
        let bytes = [bytes[0], &[0x12, 0x0f], &bytes[1][2..], &[0x98, 0x02][..], bytes[2]].concat();
        assert_eq!(ModelProto::read(&bytes), None, "a length that is too long");
        let trainer = [0x18, 2, 0xc8, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let bytes = [
            &[0x0a, 0x0a, 0x0a, 0x01, b'a', 0x15, 0, 0, 0x80, 0x3f, 0x18, 4][..],
            &[0x12, trainer.len() as u8],
            &trainer,
            &[0x1a, 2, 0x18, 0],
        ]
        .concat();
        let model = ModelProto::read(&bytes).unwrap();
        assert_eq!(model.pieces, [Piece { text: "a".into(), score: 1.0, kind: 4 }]);
        assert_eq!((model.trainer.model_type, model.trainer.bos.0), (2, -1));
        assert!(!model.normalizer.add_dummy_prefix && model.normalizer.escape_whitespaces);
    }

    #[test]
    fn other_bytes_are_not_a_model() {
        for bytes in [&b""[..], b"IQ== 0\nIg== 1\n", &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0x0f]] {
            assert_eq!(ModelProto::read(bytes), None, "{bytes:?}");
        }
    }
}
