//! LOLWUT: art, and the version.

use crate::command::*;
use crate::{set, version};

pub(super) const LOLWUT: Spec = Spec::new("lolwut", -1, lolwut)
    .doc(Group::Server, "5.0.0", "", "Draws something and tells the version.")
    .flags(set!(Flags: READONLY | FAST))
    .args(&[Arg::new("version", ArgKind::Integer).token("VERSION").optional()]);

fn lolwut(cx: &mut Context<'_>) -> CommandResult {
    // There is one picture, whichever version's is asked for.
    if cx.args.len() > 2 && cx.arg_is(1, "version") {
        cx.integer(2)?;
    }
    let mut text = crystal(rand::random());
    text.push_str(&format!(
        "\nSpinel {}, a red stone that passes for a ruby. Redis ver. {}\n",
        version::SPINEL,
        version::REDIS
    ));
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Rows of one half of the stone.
const HALF: usize = 9;
/// Shades from bright to dark.
const SHADES: &[u8] = b".:-=+*#%@";

/// An octahedron, the shape in which spinel grows, its facets lit from a random side.
fn crystal(seed: u64) -> String {
    let light = (seed % 360) as f64 * std::f64::consts::PI / 180.0;
    let mut text = String::new();
    for row in 0..2 * HALF {
        let half_width = if row < HALF { row } else { 2 * HALF - 1 - row };
        text.push_str(&" ".repeat(4 + HALF - half_width));
        let (left, right) = if row < HALF { ("/", "\\\n") } else { ("\\", "/\n") };
        text.push_str(left);
        for column in 0..2 * half_width {
            // The facet is one of eight: upper or lower, and one of four around.
            let around = (column * 4).checked_div(2 * half_width).unwrap_or(0);
            let angle = around as f64 * std::f64::consts::FRAC_PI_4 + if row < HALF { 0.3 } else { 2.1 };
            let glint = (seed >> ((row * 7 + column) % 61)) & 7 == 0;
            let shade = ((angle - light).cos() * 0.5 + 0.5) * (SHADES.len() - 1) as f64;
            let shade = if glint { 0 } else { shade as usize };
            text.push(SHADES.get(shade).copied().unwrap_or(b'.') as char);
        }
        text.push_str(right);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::crystal;

    #[test]
    fn is_as_wide_as_a_terminal_at_most() {
        for seed in [0, 1, 77, u64::MAX] {
            let picture = crystal(seed);
            assert_eq!(picture.lines().count(), 18);
            assert!(picture.is_ascii() && picture.lines().all(|line| line.len() < 80));
        }
    }
}
