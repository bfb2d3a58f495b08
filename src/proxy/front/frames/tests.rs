use chrono::DateTime;

use super::allowance::{EACH, MAX_EARNED, MAX_IDLE, MAX_SMALL, SMALL, WINDOW};
use super::*;

const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const UNKNOWN: u8 = 0xbb;

fn frames(clock: &Clock) -> Frames {
    let limits = FrameLimits {
        resets: 2,
        header_timeout: Duration::from_secs(1),
    };
    let mut frames = Frames::new(limits, clock.clone());
    frames.follow(&[0; PREFACE]).unwrap();
    frames
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let [.., a, b] = payload.len().to_be_bytes();
    let mut frame = vec![0, a, b, kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(payload);
    frame
}

fn clock() -> Clock {
    Clock::manual(DateTime::UNIX_EPOCH)
}

/// How many of these pass, until one does not: that is the end.
fn passing(mut frames: Frames, frame: &[u8]) -> u32 {
    let most = MAX_EARNED + MAX_IDLE;
    let passed = (0..=most).find(|_| frames.follow(frame).is_err());
    passed.expect("an end")
}

#[tokio::test]
async fn resets_are_counted_by_the_window() {
    let clock = clock();
    let mut frames = frames(&clock);
    let reset = frame(RST_STREAM, 0, &[0; 4]);
    frames.follow(&reset.repeat(2)).unwrap();
    clock.advance(WINDOW);
    // Byte by byte it is the same frame.
    for byte in reset.repeat(2) {
        frames.follow(&[byte]).unwrap();
    }
    assert!(matches!(frames.follow(&reset), Err(Abuse::Resets)));
}

#[test]
fn data_of_any_amount_passes() {
    let mut frames = frames(&clock());
    let data = frame(DATA, 0, &[RST_STREAM; 200]);
    frames.follow(&data.repeat(10_000)).unwrap();
    let padded = frame(DATA, PADDED, &[1; MAX_PADDING + 1]);
    frames.follow(&padded.repeat(10_000)).unwrap();
}

#[test]
fn frames_that_ask_for_nothing_are_bounded() {
    for idle in [
        frame(PING, 0, &[0; 8]),
        frame(SETTINGS, 0, &[]),
        frame(PRIORITY, 0, &[0; 5]),
        frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
        frame(GOAWAY, 0, &[0; 8]),
        frame(UNKNOWN, 0, b"anything"),
        frame(DATA, 0, &[]),
        frame(DATA, PADDED, &[MAX_PADDING.to_be_bytes()[7]; MAX_PADDING]),
    ] {
        let clock = clock();
        let mut frames = frames(&clock);
        frames.follow(&idle.repeat(MAX_IDLE as usize)).unwrap();
        clock.advance(WINDOW);
        assert_eq!(passing(frames, &idle), MAX_IDLE, "{idle:?}");
    }
}

#[test]
fn what_is_sent_allows_more_in_this_window_and_the_next() {
    let clock = clock();
    let mut frames = frames(&clock);
    let data = frame(DATA, 0, &[b'.'; SMALL]);
    let update = frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]);
    // In pieces that are no frames.
    for piece in data.repeat(2_000).chunks(50) {
        frames.follow_sent(piece);
    }
    clock.advance(WINDOW);
    assert_eq!(passing(frames, &update), 2_000 * EACH + MAX_IDLE);
}

#[test]
fn what_is_sent_and_is_no_data_allows_nothing() {
    let mut frames = frames(&clock());
    let ping = frame(PING, 0, &[0; 8]);
    frames.follow_sent(&ping.repeat(2_000));
    assert_eq!(passing(frames, &ping), MAX_IDLE);
}

#[test]
fn crumbs_allow_only_so_much_and_nothing_is_laid_by_without_end() {
    let update = frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]);
    let after = |data: &[u8], times: u32| {
        let mut frames = frames(&clock());
        frames.follow_sent(&frame(DATA, 0, data).repeat(times as usize));
        passing(frames, &update)
    };
    assert_eq!(after(b".", MAX_SMALL * 2), MAX_SMALL * EACH + MAX_IDLE);
    assert_eq!(after(&[b'.'; SMALL], MAX_EARNED), MAX_EARNED + MAX_IDLE);
}

#[test]
fn a_request_allows_some() {
    let mut frames = frames(&clock());
    let open = frame(HEADERS, END_HEADERS | END_STREAM, b"x");
    frames.follow(&open.repeat(1_000)).unwrap();
    let priority = frame(PRIORITY, 0, &[0; 5]);
    assert_eq!(passing(frames, &priority), 1_000 * EACH + MAX_IDLE);
}

#[tokio::test]
async fn a_header_that_does_not_end_has_a_deadline() {
    let mut frames = frames(&clock());
    frames.follow(&frame(HEADERS, 0, b"x")).unwrap();
    assert!(frames.deadline.is_some());
    let last = frame(CONTINUATION, END_HEADERS, b"xy");
    let (most, end) = last.split_at(last.len() - 1);
    frames.follow(most).unwrap();
    assert!(frames.deadline.is_some());
    frames.follow(end).unwrap();
    assert!(frames.deadline.is_none());
    frames.follow(&[0]).unwrap();
    assert!(frames.deadline.is_some());
}
