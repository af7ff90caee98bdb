// A small tone of our own when somebody writes.

import { preference } from "./preferences.js";

/** Hertz and seconds: two short notes, the second higher. */
const NOTES = [
  [659.3, 0],
  [987.8, 0.11],
];
const LENGTH = 0.22;
const LOUDNESS = 0.08;

/** @type {AudioContext|null} */
let context = null;

/** Let the page sound: browsers want a key or a click first. */
export function wakeSound() {
  context ??= globalThis.AudioContext ? new AudioContext() : null;
  if (context?.state === "suspended") context.resume().catch(() => {});
}

/** Sound, if that is wanted. Return whether it did. */
export function sound({ isTrial = false } = {}) {
  if (!isTrial && !preference("sound")) return false;
  if (isTrial) wakeSound();
  if (!context || (context.state !== "running" && !isTrial)) return false;
  for (const [pitch, after] of NOTES) play(context, pitch, context.currentTime + after);
  return true;
}

function play(audio, pitch, at) {
  const tone = new OscillatorNode(audio, { type: "triangle", frequency: pitch });
  const volume = new GainNode(audio, { gain: 0 });
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.012);
  volume.gain.exponentialRampToValueAtTime(0.0001, at + LENGTH);
  tone.connect(volume).connect(audio.destination);
  tone.start(at);
  tone.stop(at + LENGTH + 0.02);
}
