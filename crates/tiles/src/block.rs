//! A block of a product, 32 x 32, on the processor's matrix tiles (Intel AMX).
//!
//! The tiles multiply bfloat16 and add in float32. A float32 is the sum of two bfloat16 up to 2^-17 of itself: x = h +
//! l. Of the four products of two such sums the three larger ones are added, h h' + h l' + l h', which leaves an error
//! of about 4e-6 of a sum's size (ordinary float32 arithmetic: some 1e-7), in a third to a half of the time. Source:
//! Henry, Tang, Heinecke, *Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations*,
//! 2019, <https://arxiv.org/abs/1904.06376>.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::marker::PhantomData;
use std::sync::LazyLock;

/// Rows and columns of a block, and products of each of its sums in a step.
pub(crate) const BLOCK: usize = 32;
/// Lines of a step, on either side. Left: 32 rows of 32 numbers, first their high halves, then the low ones. Right: 16
/// rows of pairs, each of 32 columns, that follow one another in a sum; first high halves, then low ones.
pub(crate) const STEP: usize = 64;
/// Those of the high halves: all of a step where numbers are not split.
pub(crate) const HALF: usize = STEP / 2;

/// What a tile takes as a row: 16 pairs of bfloat16. Loads that are not aligned to it take six times as long.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub [u32; 16]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; 16]);
}

/// The pairs of some lines.
pub(crate) fn pairs(lines: &mut [Line]) -> &mut [u32] {
    // SAFETY: a line is 16 u32 and nothing else, and more strictly aligned.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), 16 * lines.len()) }
}

/// Sums of a block, aligned as tiles like it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Sums(pub [f32; BLOCK * BLOCK]);

/// Whether float32 products can run on this processor's matrix tiles (Intel AMX, with AVX-512), and the system lets
/// this process use them.
pub fn available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
        const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
        let has_tiles = __cpuid_count(0, 0).eax >= 7
            && __cpuid_count(7, 0).edx & TILE_AND_BF16 == TILE_AND_BF16;
        has_tiles && has_vectors() && permitted()
    });
    *AVAILABLE
}

/// Whether this processor has the vectors that lay numbers out for a block.
pub(crate) fn has_vectors() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
}

/// Asks Linux for the tiles' state, once for all threads of the process (`arch_prctl`, since Linux 5.16).
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    if !cfg!(target_os = "linux") {
        return false;
    }
    let answer: i64;
    // SAFETY: this system call takes two numbers and touches no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack)
        );
    }
    answer == 0
}

/// This thread's tiles, all of 16 rows of 64 bytes, until they are dropped.
pub(crate) struct Tiles {
    /// They belong to a thread.
    _thread: PhantomData<*const ()>,
}

impl Tiles {
    /// # Panics
    /// Where they are not [`available`].
    pub(crate) fn new() -> Self {
        assert!(available(), "the caller has asked");
        #[repr(C, align(64))]
        struct Layout([u8; 64]);
        let mut layout = Layout([0; 64]);
        layout.0[0] = 1; // the only palette
        for tile in 0..8 {
            layout.0[16 + 2 * tile] = 64;
            layout.0[48 + tile] = 16;
        }
        // SAFETY: the tiles are there, and the layout is of palette 1.
        unsafe {
            asm!(
                "ldtilecfg [{}]", in(reg) &layout.0,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly)
            );
        }
        Self {
            _thread: PhantomData,
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: as in `new`. Threads that hold no tiles are switched faster.
        unsafe {
            asm!(
                "tilerelease",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, nomem)
            );
        }
    }
}

impl Tiles {
    /// Sums of 32 rows of the left side by 32 columns of the right side, as many steps as both have. `out`: rows of
    /// floats, `out_row` from one to the next; `adds` to what stands there. Meanwhile an eighth as many lines from
    /// `ahead` on are brought near.
    #[inline]
    pub(crate) fn block(
        &self,
        (left, right): (&[Line], &[Line]),
        (out, out_row): (&mut [f32], usize),
        (adds, ahead): (bool, *const Line),
    ) {
        let steps = left.len() / STEP;
        assert!(steps > 0 && left.len() == right.len() && left.len().is_multiple_of(STEP));
        assert!(out.len() >= (BLOCK - 1) * out_row + BLOCK && out_row >= BLOCK);
        let out = out.as_mut_ptr();
        // SAFETY: the tiles are laid out, and all addresses lie in the slices, as asserted (what is only brought near
        // need not). All tiles are filled, used and given up within this one block of assembly, which says so.
        unsafe {
            let half = out.add(16 * out_row);
            asm!(
                "test {adds:e}, {adds:e}",
                "jnz 3f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 2f",
                "3:",
                "tileloadd tmm0, [{out} + {row}*1]",
                "tileloadd tmm1, [{out} + {row}*1 + 64]",
                "tileloadd tmm2, [{half} + {row}*1]",
                "tileloadd tmm3, [{half} + {row}*1 + 64]",
                "2:",
                // low halves of the left side by high ones of the right
                "tileloadd tmm4, [{left} + {tile}*1 + 2048]",
                "tileloadd tmm6, [{right} + {pair}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{ahead} + 0]",
                "tileloadd tmm7, [{right} + {pair}*1 + 64]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{ahead} + 64]",
                "tileloadd tmm5, [{left} + {tile}*1 + 3072]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{ahead} + 128]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{ahead} + 192]",
                // high by high
                "tileloadd tmm4, [{left} + {tile}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{ahead} + 256]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{ahead} + 320]",
                "tileloadd tmm5, [{left} + {tile}*1 + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{ahead} + 384]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{ahead} + 448]",
                // high by low
                "tileloadd tmm6, [{right} + {pair}*1 + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tileloadd tmm7, [{right} + {pair}*1 + 2112]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {left}, 4096",
                "add {right}, 4096",
                "add {ahead}, 512",
                "dec {count}",
                "jnz 2b",
                "tilestored [{out} + {row}*1], tmm0",
                "tilestored [{out} + {row}*1 + 64], tmm1",
                "tilestored [{half} + {row}*1], tmm2",
                "tilestored [{half} + {row}*1 + 64], tmm3",
                left = inout(reg) left.as_ptr() => _,
                right = inout(reg) right.as_ptr() => _,
                ahead = inout(reg) ahead => _,
                count = inout(reg) steps => _,
                tile = in(reg) 64usize,
                pair = in(reg) 128usize,
                out = in(reg) out,
                half = in(reg) half,
                row = in(reg) 4 * out_row,
                adds = in(reg) u32::from(adds),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            );
        }
    }

    /// As [`Tiles::block`], of numbers that are not split: one product for each two of them.
    #[inline]
    pub(crate) fn rounded_block(
        &self,
        (left, right): (&[Line], &[Line]),
        (out, out_row): (&mut [f32], usize),
        (adds, ahead): (bool, *const Line),
    ) {
        let steps = left.len() / HALF;
        assert!(steps > 0 && left.len() == right.len() && left.len().is_multiple_of(HALF));
        assert!(out.len() >= (BLOCK - 1) * out_row + BLOCK && out_row >= BLOCK);
        let out = out.as_mut_ptr();
        // SAFETY: as in `block`.
        unsafe {
            let half = out.add(16 * out_row);
            asm!(
                "test {adds:e}, {adds:e}",
                "jnz 3f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 2f",
                "3:",
                "tileloadd tmm0, [{out} + {row}*1]",
                "tileloadd tmm1, [{out} + {row}*1 + 64]",
                "tileloadd tmm2, [{half} + {row}*1]",
                "tileloadd tmm3, [{half} + {row}*1 + 64]",
                "2:",
                "tileloadd tmm4, [{left} + {tile}*1]",
                "tileloadd tmm6, [{right} + {pair}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{ahead} + 0]",
                "tileloadd tmm7, [{right} + {pair}*1 + 64]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{ahead} + 64]",
                "tileloadd tmm5, [{left} + {tile}*1 + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{ahead} + 128]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{ahead} + 192]",
                "add {left}, 2048",
                "add {right}, 2048",
                "add {ahead}, 256",
                "dec {count}",
                "jnz 2b",
                "tilestored [{out} + {row}*1], tmm0",
                "tilestored [{out} + {row}*1 + 64], tmm1",
                "tilestored [{half} + {row}*1], tmm2",
                "tilestored [{half} + {row}*1 + 64], tmm3",
                left = inout(reg) left.as_ptr() => _,
                right = inout(reg) right.as_ptr() => _,
                ahead = inout(reg) ahead => _,
                count = inout(reg) steps => _,
                tile = in(reg) 64usize,
                pair = in(reg) 128usize,
                out = in(reg) out,
                half = in(reg) half,
                row = in(reg) 4 * out_row,
                adds = in(reg) u32::from(adds),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            );
        }
    }
}
