// Watches one video element: what it did, when each of its pictures was made, and what its player asked for.
// The pictures carry the wall clock as two strips of bar code (tests/support/clock.py, tests/support/barcode.py).

const CELLS = 16, BITS = 12, STRIP = 12;
const CELL_PX = 8;
const MIDDLE = (24 + 226) / 2;
const WRAP_MS = 2 ** (2 * BITS);

export function watch(video) {
  const seen = window.seen = { events: [], frames: [], requests: [], unreadable: 0, errors: [] };
  for (const name of ["playing", "waiting", "stalled", "seeking", "ratechange", "error", "ended", "pause", "emptied"]) {
    video.addEventListener(name, () => seen.events.push([Date.now(), name, video.currentTime, video.playbackRate]));
  }
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      seen.requests.push([performance.timeOrigin + one.startTime, performance.timeOrigin + one.responseEnd, one.name]);
    }
  }).observe({ type: "resource" });

  const canvas = new OffscreenCanvas(CELLS * CELL_PX, 2);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  const next = () => video.requestVideoFrameCallback(() => {
    const made = read(context, video);
    if (made === null) seen.unreadable += 1;
    else seen.frames.push([Date.now(), (Date.now() - made + WRAP_MS) % WRAP_MS, video.currentTime, ahead(video)]);
    next();
  });
  next();
}

// The time in the picture, milliseconds, or null.
function read(context, video) {
  const height = Math.floor(video.videoHeight / STRIP);
  let made = 0;
  for (const [row, top] of [[1, height], [0, 0]]) {
    // The middle of the strip, where no coding error of its neighbours reaches.
    context.drawImage(video, 0, top + height / 4, video.videoWidth, height / 4, 0, row, CELLS * CELL_PX, 1);
  }
  const { data } = context.getImageData(0, 0, CELLS * CELL_PX, 2);
  for (const row of [1, 0]) {
    let code = 0;
    for (let cell = 0; cell < CELLS; cell++) {
      let level = 0;
      for (let x = 2; x < CELL_PX - 2; x++) level += data[4 * ((row * CELLS + cell) * CELL_PX + x) + 1];
      code = 2 * code + (level / (CELL_PX - 4) > MIDDLE ? 1 : 0);
    }
    const number = code >> (CELLS - BITS);
    if ((number * 7 % 16 ^ 0b1010) !== (code & 0b1111)) return null;
    made = made * 2 ** BITS + number;
  }
  return made;
}

function ahead(video) {
  const { buffered } = video;
  return buffered.length ? buffered.end(buffered.length - 1) - video.currentTime : 0;
}
