// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use quinn::{Connection, TransportConfig, VarInt};

use crate::Failure;
use crate::settings::Settings;

const MAX_STREAMS: u32 = 1000;

pub fn transport_config(settings: &Settings) -> Result<Arc<TransportConfig>, Failure> {
    let mut config = TransportConfig::default();
    config.max_idle_timeout(Some(settings.idle_timeout.try_into()?));
    config.max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS));
    Ok(Arc::new(config))
}

/// Updates the keys of a connection once enough of its bytes have gone by.
pub struct KeyUpdate {
    after: Option<u64>,
    bytes: AtomicU64,
    done: AtomicBool,
}

impl KeyUpdate {
    pub fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(KeyUpdate {
            after: settings.key_update,
            bytes: AtomicU64::new(0),
            done: AtomicBool::new(false),
        })
    }

    pub fn passed(&self, connection: &Connection, bytes: usize) {
        let total = self.bytes.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        if self.after.is_some_and(|after| total >= after) && !self.done.swap(true, Relaxed) {
            connection.force_key_update();
        }
    }

    /// How often this side has updated; quinn does not tell when the other one did.
    pub fn count(&self) -> u32 {
        self.done.load(Relaxed).into()
    }
}
