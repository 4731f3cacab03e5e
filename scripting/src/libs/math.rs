//! `math.random` and `math.randomseed`, with the same numbers for a seed on every machine.

use std::ffi::c_int;

use crate::lua::{Outcome, Raise, State};

/// Replaces the two functions in the table `math`.
pub(crate) fn install(state: &State, math: c_int) {
    state.push_function(random);
    state.set_field(math, "random");
    state.push_function(randomseed);
    state.set_field(math, "randomseed");
}

fn check_running(state: &State, name: &str) -> Result<(), Raise> {
    if state.shared().is_running() {
        Ok(())
    } else {
        Err(state.error(format_args!("math.{name} can only be called inside a script invocation")))
    }
}

fn random(state: State) -> Outcome {
    check_running(&state, "random")?;
    let fraction = state.shared().random.borrow_mut().next_fraction();
    let value = match state.top() {
        0 => fraction,
        1 => {
            let most = state.check_int(1)?;
            if most < 1 {
                return Err(state.argument_error(1, "interval is empty"));
            }
            (fraction * f64::from(most)).floor() + 1.0
        }
        2 => {
            let (least, most) = (state.check_int(1)?, state.check_int(2)?);
            if least > most {
                return Err(state.argument_error(2, "interval is empty"));
            }
            // The width wraps as C's int does.
            let width = most.wrapping_sub(least).wrapping_add(1);
            (fraction * f64::from(width)).floor() + f64::from(least)
        }
        _ => return Err(state.error("wrong number of arguments")),
    };
    state.push_number(value);
    Ok(1)
}

fn randomseed(state: State) -> Outcome {
    check_running(&state, "randomseed")?;
    let seed = state.check_int(1)?;
    state.shared().random.borrow_mut().seed(seed);
    Ok(0)
}
