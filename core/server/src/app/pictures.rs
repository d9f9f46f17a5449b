//! Pictures that people upload: of three kinds that browsers show and that hold no script, told by their bytes alone.
//!
//! Nothing is decoded here: a decoder of foreign bytes is a risk that a picture is not worth. What is read is the head,
//! where each kind says how large the picture is, so that a few kilobytes cannot ask browsers for gigabytes.

use boxvault_types::error::ErrorCode;

use crate::error::{AppError, Result};

/// The longest side of a picture: more than any page shows, and 64 MiB at most where a browser unpacks it.
const SIDE_PIXELS_MAX: u32 = 4_096;

/// Tells what kind of picture bytes are, as HTTP says it: `image/png`.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE` for what is none of the three kinds, SVG among them, or is cut off in its head;
/// `FILE_TOO_LARGE` for one with too many pixels.
pub(crate) fn media_type(bytes: &[u8]) -> Result<&'static str> {
    let (kind, (width, height)) = png(bytes)
        .map(|size| ("image/png", size))
        .or_else(|| jpeg(bytes).map(|size| ("image/jpeg", size)))
        .or_else(|| webp(bytes).map(|size| ("image/webp", size)))
        .filter(|(_, (width, height))| *width > 0 && *height > 0)
        .ok_or_else(|| {
            AppError::new(
                ErrorCode::UnsupportedMediaType,
                "this is no picture that is taken here; send a PNG, a JPEG or a WebP, as its bytes",
            )
        })?;
    if width > SIDE_PIXELS_MAX || height > SIDE_PIXELS_MAX {
        return Err(AppError::new(
            ErrorCode::FileTooLarge,
            format!(
                "the picture has {width} × {height} pixels; make it smaller: a side may have {SIDE_PIXELS_MAX}"
            ),
        ));
    }
    Ok(kind)
}

/// Width and height.
type Size = (u32, u32);

/// The signature, then the chunk `IHDR`, which is always the first one.
fn png(bytes: &[u8]) -> Option<Size> {
    let head = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
    Some((big_endian(head.get(..4)?), big_endian(head.get(4..8)?)))
}

/// Segments, each with its length, up to the one that describes the frame.
fn jpeg(bytes: &[u8]) -> Option<Size> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        // in front of a marker stands 0xff, once or more often
        let at = rest.iter().position(|byte| *byte != 0xff).filter(|at| *at > 0)?;
        let marker = rest.get(at)?;
        rest = rest.get(at + 1..)?;
        let length = usize::try_from(big_endian(rest.get(..2)?)).ok()?;
        let segment = rest.get(..length)?;
        match marker {
            // tables, which have numbers among those of frames
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => {
                return Some((big_endian(segment.get(5..7)?), big_endian(segment.get(3..5)?)));
            }
            // the pixels begin, and nobody said how many
            0xda => return None,
            _ => {}
        }
        rest = rest.get(length..)?;
    }
}

/// The first chunk says how large the picture is, in one of three ways.
fn webp(bytes: &[u8]) -> Option<Size> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WEBP" {
        return None;
    }
    let number = |from: usize, to: usize| Some(little_endian(bytes.get(20 + from..20 + to)?));
    match bytes.get(12..16)? {
        b"VP8 " if number(3, 6)? == 0x2a_01_9d => {
            Some((number(6, 8)? & 0x3fff, number(8, 10)? & 0x3fff))
        }
        b"VP8L" if number(0, 1)? == 0x2f => {
            let bits = number(1, 5)?;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((number(4, 7)? + 1, number(7, 10)? + 1)),
        _ => None,
    }
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let head: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        [head, &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x06\0\0\0"].concat()
    }

    /// With a comment, a table and a filled marker in front of the frame.
    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let head: &[u8] = b"\xff\xd8\xff\xfe\0\x05abc\xff\xc4\0\x04xx\xff\xff\xff\xc2\0\x0b\x08";
        [head, &height.to_be_bytes(), &width.to_be_bytes(), b"\x01\x01\x11\0"].concat()
    }

    fn webp_of(chunk: [u8; 4], data: &[u8]) -> Vec<u8> {
        [b"RIFF\x20\0\0\0WEBP".as_slice(), &chunk, b"\x0a\0\0\0", data].concat()
    }

    #[test]
    fn pictures_are_known_by_their_bytes_and_tell_their_size() {
        assert_eq!(png(&png_of(640, 480)), Some((640, 480)));
        assert_eq!(jpeg(&jpeg_of(640, 480)), Some((640, 480)));
        let lossy = webp_of(*b"VP8 ", b"\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01");
        assert_eq!(webp(&lossy), Some((640, 480)));
        // one less than each
        let bits = 0x27f_u32 | (0x1df << 14);
        let lossless = webp_of(*b"VP8L", &[[0x2f].as_slice(), &bits.to_le_bytes()].concat());
        assert_eq!(webp(&lossless), Some((640, 480)));
        let extended = webp_of(*b"VP8X", b"\0\0\0\0\x7f\x02\0\xdf\x01\0");
        assert_eq!(webp(&extended), Some((640, 480)));
        for (bytes, kind) in [
            (png_of(1, 1), "image/png"),
            (png_of(4_096, 4_096), "image/png"),
            (jpeg_of(1, 1), "image/jpeg"),
            (lossy, "image/webp"),
        ] {
            assert_eq!(media_type(&bytes).unwrap(), kind);
        }
    }

    #[test]
    fn what_is_no_picture_of_these_kinds_is_refused() {
        let cut = png_of(1, 1);
        for bytes in [
            b"".as_slice(),
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<html>",
            b"GIF89a",
            b"\x89PNG\r\n\x1a\n",
            b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
            &cut[..20],
            &png_of(0, 1),
            &jpeg_of(1, 0),
            b"\xff\xd8\xff\xe0",
            b"\xff\xd8<script>",
            b"\xff\xd8\xff\xda\0\x02\xff\xc0\0\x0b\x08\0\x01\0\x01",
            b"\xff\xd8\xff\xe0\0\0\xff\xe0\0\0",
            b"\xff\xd8\xff\xff\xff\xff",
            b"RIFF\x10\0\0\0WAVEfmt \0\0\0\0\0\0\0\0\0\0",
            b"RIFF\x10\0\0\0WEBPVP8 ",
            b"RIFF\x10\0\0\0WEBPVP9 \0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"RIFF",
        ] {
            let error = media_type(bytes).unwrap_err();
            assert_eq!(error.code(), ErrorCode::UnsupportedMediaType, "{bytes:?}");
        }
    }

    #[test]
    fn a_few_bytes_cannot_ask_for_gigabytes_of_pixels() {
        for bytes in [png_of(4_097, 1), png_of(1, u32::MAX), jpeg_of(1, 65_535)] {
            assert_eq!(media_type(&bytes).unwrap_err().code(), ErrorCode::FileTooLarge);
        }
    }
}
