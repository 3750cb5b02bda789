//! A believable shop of our own making: products, members with habits, and rendered shoppers who
//! walk into the frames of two cameras. Everything from a fixed seed; nobody here exists.

mod backdrop;
pub mod cast;
mod catalogue;
pub mod draw;
pub mod export;
mod habit;
mod hair;
mod head;
pub mod light;
pub mod likeness;
pub mod look;
pub mod raster;
pub mod scene;
pub mod script;
mod shelves;
pub mod shopper;
mod skin;
mod wear;
pub mod world;

#[cfg(test)]
mod preview {
    use super::draw::{Draw, Realm};
    use super::look::ShopperLook;
    use super::raster::{Light, unit};
    use super::shopper::{Placement, Pose, Shopper};
    use image::RgbImage;

    #[test]
    #[ignore]
    fn export() {
        let dir = std::env::var("DIR").unwrap();
        let n = std::env::var("COUNT").unwrap().parse().unwrap();
        let start = std::time::Instant::now();
        super::export::export_faces(std::path::Path::new(&dir), n, 20).unwrap();
        println!("exported in {:?}", start.elapsed());
    }

    fn cpu() -> f64 { std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse::<f64>().unwrap()/1e6 }

    #[test]
    #[ignore]
    fn frames() {
        use super::{cast::Cast, scene::Scene};
        let cast = std::sync::Arc::new(Cast::new(1, 40, 10));
        let start = cpu();
        let scenes = [Scene::new(1, cast.clone(), 0), Scene::new(1, cast.clone(), 1)];
        println!("scenes {}", cpu() - start);
        let start = cpu();
        cast.prepare(|_| ());
        println!("prepare {}", cpu() - start);
        for f in scenes[0].facing(0) { println!("{f:?}"); }
        let (mut total, mut n, mut worst, mut people) = (0.0, 0, 0.0f64, 0);
        for i in 0..104 {
            for (c, s) in scenes.iter().enumerate() {
                let start = cpu();
                let (p, f) = s.frame(std::time::Duration::from_millis(500 * i));
                let took = cpu() - start;
                total += took; n += 1; worst = worst.max(took); people += f.len();
                if std::env::var("SAVE").is_ok() { p.save(format!("/tmp/frames/{c}-{i:03}.png")).unwrap(); }
            }
        }
        println!("frame mean {:.2} ms worst {:.2} ms, faces {:.2}", total / n as f64, worst, people as f64 / n as f64);
    }

    #[test]
    #[ignore]
    fn trial() {
        use super::{cast::Cast, cast::CastId, scene::Scene};
        let dir = std::path::PathBuf::from("/tmp/trial");
        std::fs::create_dir_all(&dir).unwrap();
        let cast = std::sync::Arc::new(Cast::new(1, 40, 10));
        for id in cast.ids() {
            let CastId::Member(m) = id else { continue };
            for (i, p) in cast.photos(id, 3).iter().enumerate() { p.save(dir.join(format!("m{m:02}-{i}.png"))).unwrap(); }
        }
        let mut gt = serde_json::Map::new();
        let scenes = [Scene::new(1, cast.clone(), 0), Scene::new(1, cast.clone(), 1)];
        let rounds: u64 = std::env::var("ROUNDS").unwrap().parse().unwrap();
        for i in 0..104 * rounds {
            for (c, s) in scenes.iter().enumerate() {
                let (p, f) = s.frame(std::time::Duration::from_millis(500 * i));
                if f.is_empty() { continue; }
                let name = format!("f{c}-{i:04}.jpg");
                p.save(dir.join(&name)).unwrap();
                gt.insert(name, f.iter().map(|f| serde_json::json!({"bbox":[f.bbox.x,f.bbox.y,f.bbox.w,f.bbox.h],"landmarks":f.landmarks,"identity":format!("{:?}", f.who),"facing":f.facing})).collect());
            }
        }
        std::fs::write(dir.join("gt.json"), serde_json::to_vec(&gt).unwrap()).unwrap();
    }

    #[test]
    #[ignore]
    fn casting() {
        let start = cpu();
        let cast = super::cast::Cast::new(1, 40, 10);
        println!("cast {} ms", cpu() - start);
        let l: Vec<_> = cast.ids().map(|i| super::likeness::Likeness::of(cast.look(i).unwrap())).collect();
        let mut m: Vec<f32> = Vec::new(); let mut s: Vec<f32> = Vec::new();
        for i in 0..50 { for j in 0..i { if i < 40 { m.push(l[i].distance(&l[j])) } else if j < 40 { s.push(l[i].distance(&l[j])) } } }
        println!("members {:?} strangers {:?}", m.iter().cloned().fold(9.0f32, f32::min), s.iter().cloned().fold(9.0f32, f32::min));
    }

    #[test]
    #[ignore]
    fn sheet() {
        if std::env::var("CAST").is_ok() { return; }
        let n: u64 = std::env::var("START").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
        let mut picture = RgbImage::from_pixel(1400, 1000, image::Rgb([150, 150, 145]));
        for i in 0..20u64 {
            let look = ShopperLook::draw(Realm::Member, 1, n + i / if n > 500 { 4 } else { 1 });
            let shopper = Shopper::new(&look, 1, 0);
            let mut d = Draw::new(Realm::Picture, 1, i);
            let pose = if n == 0 { Pose::default() } else { Pose { yaw: d.uniform(-50.0, 50.0), pitch: d.uniform(-15.0, 15.0), roll: d.uniform(-10.0, 10.0), body: 0.0, blink: if i % 5 == 4 {1.0} else {0.0}, smile: d.uniform(-1.0, 1.0) } };
            let light = Light { towards: unit([d.uniform(-0.8, 0.8), 0.6, 1.0]), key: [0.75, 0.72, 0.68], sky: [0.40, 0.41, 0.43] };
            let mut tile = RgbImage::from_pixel(280, 250, image::Rgb([(120 + 7*i) as u8, 150, 145]));
            let face = shopper.draw(&mut tile, Placement { centre: [140.0, 110.0], head_px: 180.0, smear: 0.0, soft: 0.0 }, &pose, &light);
            if std::env::var("MARK").is_ok() {
                for p in face.landmarks { tile.put_pixel(p[0] as u32, p[1] as u32, image::Rgb([0,255,0])); }
            }
            image::imageops::replace(&mut picture, &tile, (i % 5 * 280) as i64, (i / 5 * 250) as i64);
        }
        picture.save("/tmp/demo-sheet.png").unwrap();
        let shopper = Shopper::new(&ShopperLook::draw(Realm::Member, 1, 3), 1, 0);
        let start = cpu();
        let light = Light { towards: unit([0.5, 0.6, 1.0]), key: [0.75, 0.72, 0.68], sky: [0.40, 0.41, 0.43] };
        let mut tile = RgbImage::from_pixel(280, 250, image::Rgb([120, 150, 145]));
        for _ in 0..50 {
            shopper.draw(&mut tile, Placement { centre: [140.0, 110.0], head_px: 180.0, smear: 0.0, soft: 0.0 }, &Pose::default(), &light);
        }
        println!("draw 180 px: {:?}", (cpu()-start) / 50.0);
        let start = cpu();
        for _ in 0..50 {
            shopper.draw(&mut tile, Placement { centre: [140.0, 110.0], head_px: 90.0, smear: 0.0, soft: 0.0 }, &Pose::default(), &light);
        }
        println!("draw 90 px: {:?}", (cpu()-start) / 50.0);
        let start = cpu();
        for i in 0..10 {
            Shopper::new(&ShopperLook::draw(Realm::Member, 1, i), 1, 0);
        }
        println!("new: {:?}", (cpu()-start) / 10.0);
    }
}
