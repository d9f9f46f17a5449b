//! Objects whose parts clients send to the store themselves.
//!
//! What the plugin answers is not believed here either: a token has a length, a part too, an address is one of the web.

use boxvault_plugin_sdk::{
    Capabilities, DirectWrite, ObjectMeta, PartOptions, PluginError, Result, WriteOptions, abi,
    crossing::{lend, size_of_table},
    storage::TOKEN_BYTES_MAX,
};

use super::{Instance, function, meta};
use crate::bridge::Reply;

/// What a caller reads who asks for what is not declared.
const WHAT: &str = "presigned writing";

impl Instance {
    pub(super) async fn begin_direct(
        &self,
        key: &str,
        options: WriteOptions,
    ) -> Result<DirectWrite> {
        self.require(Capabilities::PRESIGN_WRITE, WHAT)?;
        let begin = function(self.presign.and_then(|table| table.direct_begin))?;
        let options = abi::WriteOptions {
            size: size_of_table::<abi::WriteOptions>(),
            reserved: 0,
            size_hint: options.size_hint.unwrap_or(abi::SIZE_UNKNOWN),
        };
        let call = self.ask("begin direct", |instance, done| {
            // SAFETY: the extension's function on one of its instances; key and options are lent.
            unsafe { begin(instance, lend(key), &raw const options, done) }
        });
        let begun = call.await.and_then(|reply| {
            let part_bytes = reply.value;
            let token = reply.into_text()?;
            if part_bytes == 0 || token.len() > TOKEN_BYTES_MAX {
                return Err(self
                    .bridge()
                    .violation("a direct write has no size of parts, or too long a token"));
            }
            Ok(DirectWrite { token, part_bytes })
        });
        begun.map_err(self.failed("begin", key))
    }

    pub(super) async fn presign_part(
        &self,
        key: &str,
        token: &str,
        options: PartOptions,
    ) -> Result<String> {
        self.require(Capabilities::PRESIGN_WRITE, WHAT)?;
        if options.number == 0 {
            return Err(PluginError::invalid_input("parts are counted from 1"));
        }
        let part = function(self.presign.and_then(|table| table.direct_part))?;
        let options = abi::PartOptions {
            size: size_of_table::<abi::PartOptions>(),
            number: options.number,
            length: options.length.unwrap_or(abi::SIZE_UNKNOWN),
            expires_in_s: options.expires_in.as_secs(),
        };
        let call = self.ask("presign part", |instance, done| {
            // SAFETY: the extension's function on one of its instances; texts and options are lent.
            unsafe { part(instance, lend(key), lend(token), &raw const options, done) }
        });
        let url = call.await.and_then(Reply::into_text).and_then(|url| self.address(url));
        url.map_err(self.failed("presign a part of", key))
    }

    pub(super) async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        self.require(Capabilities::PRESIGN_WRITE, WHAT)?;
        let finish = function(self.presign.and_then(|table| table.direct_finish))?;
        let deadline = self.deadlines.finish;
        let pass = self.place(deadline).await.map_err(self.failed("finish", key))?;
        let call = self.bridge().call_on(
            "finish direct",
            (&self.handle, pass),
            deadline,
            |instance, done| {
                // SAFETY: the extension's function on one of its instances; the texts are lent.
                unsafe { finish(instance, lend(key), lend(token), done) }
            },
        );
        call.await.and_then(meta).map_err(self.failed("finish", key))
    }

    /// Whether clients can follow what a plugin answered.
    pub(super) fn address(&self, url: String) -> Result<String> {
        let web = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
        if web && plain {
            Ok(url)
        } else {
            Err(self.bridge().violation("an address is none of the web"))
        }
    }
}
