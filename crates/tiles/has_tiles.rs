// Tells the tests whether this processor has matrix tiles: without them they are shown as ignored, not as passed.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(has_tiles)");
    if has_tiles() {
        println!("cargo::rustc-cfg=has_tiles");
    }
}

#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    use std::arch::x86_64::__cpuid_count;
    const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & TILE_AND_BF16 == TILE_AND_BF16
}

#[cfg(not(target_arch = "x86_64"))]
fn has_tiles() -> bool {
    false
}
