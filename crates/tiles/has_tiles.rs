// Tells the tests whether this processor has matrix tiles, and whether it can multiply bfloat16, by them or by vectors:
// where it cannot, they are shown as ignored, not as passed.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (name, has) in [("has_tiles", has_tiles()), ("has_bfloat16", has_tiles() || has_vectors())] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if has {
            println!("cargo::rustc-cfg={name}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    use std::arch::x86_64::__cpuid_count;
    const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & TILE_AND_BF16 == TILE_AND_BF16
}

#[cfg(target_arch = "x86_64")]
fn has_vectors() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_tiles() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vectors() -> bool {
    false
}
