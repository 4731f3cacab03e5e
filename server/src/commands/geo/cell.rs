//! Places on the globe, the cells of a grid over it, and how both become the scores of a sorted set.
//!
//! The grid halves the globe's longitudes and latitudes `step` times over. A cell's number has the bits of its column
//! and its row in turns, so that the numbers of all small cells inside a large one follow each other. A score is the
//! number of the cell at the finest step, where cells are less than a metre wide.

/// How often the finest grid halves: two times 26 bits are what a double holds exactly.
pub(super) const FINEST: u32 = 26;

/// Degrees from one end to the other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Span {
    pub min: f64,
    pub max: f64,
}

impl Span {
    pub(super) const LONGITUDES: Span = Span { min: -180.0, max: 180.0 };
    /// Those of the usual projection of maps, which does not reach the poles.
    pub(super) const LATITUDES: Span = Span { min: -85.051_128_78, max: 85.051_128_78 };
    /// Those of geohash strings.
    const ALL_LATITUDES: Span = Span { min: -90.0, max: 90.0 };

    pub(super) fn contains(self, degrees: f64) -> bool {
        (self.min..=self.max).contains(&degrees)
    }

    /// The number of the piece that a coordinate lies in, of two to the power of `step` pieces. At the upper end it is
    /// one more than there are.
    fn piece(self, degrees: f64, step: u32) -> u32 {
        ((degrees - self.min) / (self.max - self.min) * pieces(step)) as u32
    }

    /// The piece with a number.
    fn part(self, number: u32, step: u32) -> Span {
        let at = |number: u32| self.min + f64::from(number) / pieces(step) * (self.max - self.min);
        Span { min: at(number), max: at(number.wrapping_add(1)) }
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }
}

fn pieces(step: u32) -> f64 {
    f64::from(1u32 << step)
}

/// A place, in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Position {
    pub longitude: f64,
    pub latitude: f64,
}

impl Position {
    pub(super) fn is_on_the_map(self) -> bool {
        Span::LONGITUDES.contains(self.longitude) && Span::LATITUDES.contains(self.latitude)
    }

    pub(super) fn score(self) -> f64 {
        Cell::around(self, FINEST).scores().0 as f64
    }

    /// The middle of the cell that a score stands for. Any score gives some place on the map.
    pub(super) fn of_score(score: f64) -> Position {
        let cell = Cell::numbered(bits_of_score(score), FINEST);
        let (longitudes, latitudes) = cell.spans();
        Position {
            longitude: longitudes.middle().clamp(Span::LONGITUDES.min, Span::LONGITUDES.max),
            latitude: latitudes.middle().clamp(Span::LATITUDES.min, Span::LATITUDES.max),
        }
    }

    /// The geohash string: five bits a letter, by latitudes that reach the poles. The last letter has no bits left and
    /// is always the same.
    pub(super) fn geohash(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let cell = Cell {
            column: Span::LONGITUDES.piece(self.longitude, FINEST),
            row: Span::ALL_LATITUDES.piece(self.latitude, FINEST),
            step: FINEST,
        };
        let (number, mut text) = (cell.number(), [LETTERS[0]; 11]);
        for (index, letter) in text.iter_mut().take(10).enumerate() {
            *letter = LETTERS[(number >> (47 - 5 * index)) as usize & 31];
        }
        text
    }
}

/// The integer in a score, as a C program on a 64-bit processor from Intel converts it: what is negative wraps around.
fn bits_of_score(score: f64) -> u64 {
    if score < i64::MAX as f64 {
        score as i64 as u64
    } else if score < u64::MAX as f64 {
        score as u64
    } else {
        0
    }
}

/// A cell of the grid with a certain step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    column: u32,
    row: u32,
    step: u32,
}

impl Cell {
    /// The cell around a place on the map.
    pub(super) fn around(position: Position, step: u32) -> Cell {
        Cell {
            column: Span::LONGITUDES.piece(position.longitude, step),
            row: Span::LATITUDES.piece(position.latitude, step),
            step,
        }
    }

    fn numbered(number: u64, step: u32) -> Cell {
        Cell { column: gather(number >> 1), row: gather(number), step }
    }

    fn number(self) -> u64 {
        spread(self.column) << 1 | spread(self.row)
    }

    /// The scores of the places in the cell: the lowest, and the lowest that is too high.
    pub(super) fn scores(self) -> (u64, u64) {
        let finer = 2 * (FINEST - self.step);
        (self.number() << finer, (self.number() + 1) << finer)
    }

    /// The longitudes and the latitudes of the cell.
    pub(super) fn spans(self) -> (Span, Span) {
        (Span::LONGITUDES.part(self.column, self.step), Span::LATITUDES.part(self.row, self.step))
    }

    /// The cell so many columns to the east and rows to the north, -1, 0 or 1. Behind the last column comes the first,
    /// and rows do the same.
    pub(super) fn neighbor(self, east: i32, north: i32) -> Cell {
        let last = (1 << self.step) - 1;
        let moved = |number: u32, by: i32| if by == 0 { number } else { number.wrapping_add_signed(by) & last };
        Cell { column: moved(self.column, east), row: moved(self.row, north), ..self }
    }
}

/// Puts a zero before each bit.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in MASKS.into_iter().rev() {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Leaves every other bit out.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & MASKS[0].1;
    for pair in MASKS.windows(2) {
        bits = (bits | bits >> pair[0].0) & pair[1].1;
    }
    (bits | bits >> 16) as u32
}

/// How far bits move, and which are left once they have.
const MASKS: [(u32, u64); 5] = [
    (1, 0x5555_5555_5555_5555),
    (2, 0x3333_3333_3333_3333),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (8, 0x00ff_00ff_00ff_00ff),
    (16, 0x0000_ffff_0000_ffff),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_spread_and_gather() {
        for number in [0, 1, 2, 3, 0xffff_ffff, 0x8000_0001, 0x1234_5678, 0xdead_beef] {
            let slow: u64 = (0..32).map(|bit| u64::from(number >> bit & 1) << (2 * bit)).sum();
            assert_eq!(spread(number), slow);
            assert_eq!(gather(slow | slow << 1), number);
            assert_eq!(gather(slow | 0xaaaa_aaaa_aaaa_aaaa), number);
        }
    }

    #[test]
    fn scores_are_those_of_redis() {
        let palermo = Position { longitude: 13.361389, latitude: 38.115556 };
        assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
        let stored = Position::of_score(palermo.score());
        assert_eq!((stored.longitude, stored.latitude), (13.361_389_338_970_184, 38.115_556_395_496_3));
        assert_eq!(&stored.geohash(), b"sqc8b49rny0");
    }

    #[test]
    fn any_score_is_a_place_on_the_map() {
        for score in [0.0, -1.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, 9.3e18, 1.5e19, -3.5, 4.6e15] {
            assert!(Position::of_score(score).is_on_the_map(), "{score}");
        }
    }

    #[test]
    fn neighbors_wrap_around() {
        let corner = Cell { column: 0, row: 3, step: 2 };
        assert_eq!(corner.neighbor(-1, 1), Cell { column: 3, row: 0, step: 2 });
        assert_eq!(corner.neighbor(1, -1), Cell { column: 1, row: 2, step: 2 });
    }
}
