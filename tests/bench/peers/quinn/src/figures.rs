// SPDX-License-Identifier: Apache-2.0

//! What this process has used so far, and what its connections did.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use quinn::Connection;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static PACKETS_SENT: AtomicU64 = AtomicU64::new(0);
static PACKETS_LOST: AtomicU64 = AtomicU64::new(0);
static BATCHES_SENT: AtomicU64 = AtomicU64::new(0);
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU64 = AtomicU64::new(0);

pub struct CountingAllocator;

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }
}

pub fn opened() {
    CONNECTIONS.fetch_add(1, Relaxed);
}

pub fn ended(connection: &Connection) {
    let stats = connection.stats();
    PACKETS_SENT.fetch_add(stats.path.sent_packets, Relaxed);
    PACKETS_LOST.fetch_add(stats.path.lost_packets, Relaxed);
    BATCHES_SENT.fetch_add(stats.udp_tx.ios, Relaxed);
    CLOSED.fetch_add(1, Relaxed);
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 * 1e-6
}

fn status_kib(name: &str) -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

/// One line of JSON: `own` first, members as text with a comma behind each.
pub fn print(own: &str) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    println!(
        concat!(
            "{{{}\"cpu_user\":{:.6},\"cpu_system\":{:.6},\"peak_kib\":{},\"resident_kib\":{},\"allocations\":{},",
            "\"packets_sent\":{},\"packets_lost\":{},\"batches_sent\":{},\"connections\":{},\"closed\":{}}}"
        ),
        own,
        seconds(usage.ru_utime),
        seconds(usage.ru_stime),
        status_kib("VmHWM:"),
        status_kib("VmRSS:"),
        ALLOCATIONS.load(Relaxed),
        PACKETS_SENT.load(Relaxed),
        PACKETS_LOST.load(Relaxed),
        BATCHES_SENT.load(Relaxed),
        CONNECTIONS.load(Relaxed),
        CLOSED.load(Relaxed)
    );
}
