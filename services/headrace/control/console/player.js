// Plays one HLS URL, muted, by hls.js or by the browser itself, and tells how it goes.
// A run's playlists appear some seconds after its publisher: until then the player asks again.

const RETRY_MS = 1000;

export class Player {
  constructor(video) {
    this.video = video;
    this.hls = null;
    this.url = null;
    this.retry = 0;
  }

  // Play `url`; `run` names the broadcast, so that a new one starts afresh.
  play(url, run) {
    if (this.url === url && this.run === run) return;
    this.stop();
    this.url = url;
    this.run = run;
    this.#load();
  }

  stop() {
    clearTimeout(this.retry);
    this.#unload();
    this.url = this.run = null;
  }

  get hasPicture() {
    return this.video.videoWidth > 0 && !this.video.ended;
  }

  #load() {
    if (window.Hls && window.Hls.isSupported()) {
      // At the distance from the live edge that the playlist asks for, and back to it by playing a little faster.
      const hls = this.hls = new window.Hls({ backBufferLength: 90, lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 });
      hls.on(window.Hls.Events.ERROR, (_event, error) => this.#failed(hls, error));
      hls.on(window.Hls.Events.MANIFEST_PARSED, () => this.#start());
      hls.loadSource(this.url);
      hls.attachMedia(this.video);
    } else {
      this.video.src = this.url;
      this.video.onerror = () => this.#later();
      this.#start();
    }
  }

  #start() {
    // Autoplay may be forbidden; then the controls are there.
    this.video.play().catch(() => {});
  }

  #failed(hls, error) {
    if (!error.fatal || hls !== this.hls) return;
    if (error.type === window.Hls.ErrorTypes.MEDIA_ERROR && this.hasPicture) hls.recoverMediaError();
    else this.#later();
  }

  #later() {
    this.#unload();
    this.retry = setTimeout(() => this.#load(), RETRY_MS);
  }

  #unload() {
    if (this.hls) this.hls.destroy();
    this.hls = null;
    this.video.onerror = null;
    if (this.video.hasAttribute("src")) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  // What the figures under the picture show; a dash where nothing is known.
  figures() {
    const { video, hls } = this;
    if (!this.hasPicture) return { picture: "–", rung: "–", latency: "–", buffer: "–", dropped: "–" };
    const level = hls && hls.levels[hls.currentLevel];
    const buffered = video.buffered.length ? video.buffered.end(video.buffered.length - 1) - video.currentTime : 0;
    const quality = video.getVideoPlaybackQuality();
    return {
      picture: `${video.videoWidth} × ${video.videoHeight}`,
      rung: level ? describe(level, hls) : "by the browser",
      latency: seconds(latency(video, hls)),
      buffer: seconds(buffered),
      dropped: `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}`,
    };
  }
}

function describe(level, hls) {
  const rate = level.frameRate ? ` ${Math.round(level.frameRate * 100) / 100} fps` : "";
  const many = hls.levels.length > 1 ? ` · ${hls.currentLevel + 1} of ${hls.levels.length}` : "";
  return `${level.height}p${rate}, ${(level.bitrate / 1e6).toFixed(1)} Mbit/s${many}`;
}

// From the encoder's wall clock where the playlist has it, else to the live edge.
function latency(video, hls) {
  const date = hls ? hls.playingDate : video.getStartDate && new Date(video.getStartDate().getTime() + 1000 * video.currentTime);
  const wall = date && (Date.now() - date.getTime()) / 1000;
  return Number.isFinite(wall) ? Math.max(0, wall) : hls ? hls.latency : NaN;
}

function seconds(value) {
  return Number.isFinite(value) ? `${value.toFixed(1)} s` : "–";
}
