# cargo builds and tests a Rust package of two files without a network; its program has threads, children and its own path.
mkdir -p /tmp/work/src && cd /tmp/work
export CARGO_HOME=/tmp/cargo CARGO_NET_OFFLINE=true
printf '[package]\nname = "work"\nversion = "0.1.0"\nedition = "2021"\n' >Cargo.toml
cat >src/double.rs <<'RUST'
pub fn of(n: u64) -> u64 { 2 * n }

#[test]
fn doubles() { assert_eq!(of(21), 42); }
RUST
cat >src/main.rs <<'RUST'
mod double;
use std::{env, fs, process::Command, thread};

fn main() {
    let workers: Vec<_> = (0..8).map(|n| thread::spawn(move || double::of(n) + fs::read_dir("/etc").unwrap().count() as u64 * 0)).collect();
    let sum: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    let output = Command::new("sh").args(["-c", "echo child"]).output().unwrap();
    assert!(std::panic::catch_unwind(|| fs::read("/nothing").unwrap()).is_err());
    println!("{} {} {}", sum, env::current_exe().unwrap().display(), String::from_utf8_lossy(&output.stdout).trim());
}
RUST
cargo test --quiet
cargo build --quiet --release
test "$(target/release/work 2>/dev/null)" = '56 /tmp/work/target/release/work child'
