//! Distances, areas around a place, and the cells of the grid in which an area's places lie.

use smallvec::SmallVec;

use super::cell::{Cell, FINEST, Position};

/// Metres, of a globe that is a sphere.
const EARTH_RADIUS: f64 = 6_372_797.560856;
/// Metres from the middle to the edge of the usual projection of maps.
const MAP_EDGE: f64 = 20_037_726.37;

const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// Metres between two places, by the haversine formula.
pub(super) fn distance(one: Position, other: Position) -> f64 {
    let east = ((radians(other.longitude) - radians(one.longitude)) / 2.0).sin();
    if east == 0.0 {
        return distance_north(one.latitude, other.latitude);
    }
    let (from, to) = (radians(one.latitude), radians(other.latitude));
    let north = ((to - from) / 2.0).sin();
    // The order of these operations decides about the last digits.
    let chord = north * north + from.cos() * to.cos() * east * east;
    2.0 * EARTH_RADIUS * chord.sqrt().asin()
}

/// Metres between two places of the same longitude.
fn distance_north(one: f64, other: f64) -> f64 {
    EARTH_RADIUS * (radians(other) - radians(one)).abs()
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// A shape around a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub center: Position,
    /// In units of so many metres.
    pub shape: Shape,
    pub unit: f64,
}

/// The ends of an area in each direction.
struct Bounds {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl Area {
    /// How many metres a place is away from the middle, if it lies in the area.
    pub(super) fn distance_within(&self, place: Position) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let away = distance(self.center, place);
                // What is no number counts as near.
                if away > radius * self.unit { None } else { Some(away) }
            }
            Shape::Box { width, height } => {
                if distance_north(place.latitude, self.center.latitude) > height * self.unit / 2.0 {
                    return None;
                }
                let beside = Position { latitude: place.latitude, ..self.center };
                if distance(place, beside) > width * self.unit / 2.0 {
                    return None;
                }
                Some(distance(self.center, place))
            }
        }
    }

    /// Metres from the middle to the farthest place.
    fn reach(&self) -> f64 {
        self.unit
            * match self.shape {
                Shape::Circle { radius } => radius,
                Shape::Box { width, height } => {
                    ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
                }
            }
    }

    fn bounds(&self) -> Bounds {
        let Position { longitude, latitude } = self.center;
        let (wide, high) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let high = degrees(self.unit * high / EARTH_RADIUS);
        // Degrees are shorter towards the poles: those at the edge that is farther from the equator count.
        let edge = if latitude < 0.0 { latitude - high } else { latitude + high };
        let wide = degrees(self.unit * wide / EARTH_RADIUS / radians(edge).cos());
        Bounds { west: longitude - wide, south: latitude - high, east: longitude + wide, north: latitude + high }
    }

    /// The step of a grid whose cells are large enough that nine of them cover the area, if its middle does not lie
    /// too far from that of a cell.
    fn step(&self) -> u32 {
        let mut reach = self.reach();
        if reach == 0.0 {
            return FINEST;
        }
        let mut step = -1;
        while reach < MAP_EDGE {
            reach *= 2.0;
            step += 1;
        }
        let latitude = self.center.latitude.abs();
        step -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        step.clamp(1, FINEST as i32) as u32
    }

    /// The cells to look for places in, in the order in which Redis does.
    pub(super) fn cells(&self) -> SmallVec<[Cell; 9]> {
        let bounds = self.bounds();
        let mut step = self.step();
        let mut middle = Cell::around(self.center, step);
        let (east, _) = middle.neighbor(1, 0).spans();
        let (west, _) = middle.neighbor(-1, 0).spans();
        let (_, north) = middle.neighbor(0, 1).spans();
        let (_, south) = middle.neighbor(0, -1).spans();
        let too_small =
            north.max < bounds.north || south.min > bounds.south || east.max < bounds.east || west.min > bounds.west;
        if step > 1 && too_small {
            step -= 1;
            middle = Cell::around(self.center, step);
        }
        let (longitudes, latitudes) = middle.spans();
        let is_needed = |(east, north): &(i32, i32)| {
            step < 2
                || !(*north < 0 && latitudes.min < bounds.south
                    || *north > 0 && latitudes.max > bounds.north
                    || *east < 0 && longitudes.min < bounds.west
                    || *east > 0 && longitudes.max > bounds.east)
        };
        let around = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells = SmallVec::from_elem(middle, 1);
        for (east, north) in around.into_iter().filter(is_needed) {
            let cell = middle.neighbor(east, north);
            // On the coarsest grid neighbors on opposite sides are the same.
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_redis() {
        let palermo = Position { longitude: 13.361_389_338_970_184, latitude: 38.115_556_395_496_3 };
        let catania = Position { longitude: 15.087_267_458_438_873, latitude: 37.502_668_423_331_62 };
        assert_eq!(format!("{:.4}", distance(palermo, catania)), "166274.1516");
    }

    /// Whatever lies in an area lies in one of its cells, away from the poles and the line where longitudes end.
    #[test]
    fn cells_cover_the_area() {
        use rand::rngs::StdRng;
        use rand::{RngExt, SeedableRng};
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..20_000 {
            let center =
                Position { longitude: random.random_range(-100.0..100.0), latitude: random.random_range(-60.0..60.0) };
            let metres = 10f64.powf(random.random_range(0.0..6.0));
            let shape = match random.random() {
                true => Shape::Circle { radius: metres },
                false => Shape::Box { width: metres, height: metres * random.random_range(0.1..3.0) },
            };
            let area = Area { center, shape, unit: 1.0 };
            let away = degrees(metres / EARTH_RADIUS) * 1.5;
            let place = Position {
                longitude: center.longitude + random.random_range(-away..away),
                latitude: center.latitude + random.random_range(-away..away),
            };
            let score = place.score() as u64;
            if area.distance_within(Position::of_score(score as f64)).is_some() {
                let found = area.cells().iter().any(|cell| (cell.scores().0..cell.scores().1).contains(&score));
                assert!(found, "{area:?} {place:?}");
            }
        }
    }
}
