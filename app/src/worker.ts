/** Colors photographs, one after the other, beside the page. */

import { type Photograph, decode } from "./files/decode";
import { encode, nameOf } from "./files/encode";
import type { Order, Report } from "./messages";
import { type LowResolution, paint } from "./painting/paint";
import { shrink } from "./painting/shrink";
import { loadModel } from "./predicting";

let latest: { id: number; photograph: Photograph; size?: number | null; color?: LowResolution } | undefined;
let queue: Promise<void> = Promise.resolve();

const report = (message: Report): void => self.postMessage(message);

const model = loadModel(new URL("../model.onnx", self.location.href).href);
model.then(
  ({ size, smallest }) => report({ kind: "ready", size, smallest }),
  (error: unknown) => report({ kind: "broken", reason: reasonOf(error) }),
);

self.onmessage = ({ data }: MessageEvent<Order>) => {
  queue = queue.then(() => color(data)).catch((error) => report({ kind: "failed", id: data.id, reason: reasonOf(error) }));
};

async function color({ id, file, size, saturation }: Order): Promise<void> {
  const progress = (done: number): void => report({ kind: "progress", id, done });
  progress(0);
  if (latest?.id !== id) {
    latest = undefined; // frees its memory before the next is read
    latest = { id, photograph: await decode(file) };
  }
  const { photograph } = latest;
  progress(0.1);
  if (latest.size !== size || !latest.color) Object.assign(latest, { size, color: await predict(photograph, size) });
  const painted = paint(photograph.pixels, latest.color!, saturation, (done) => progress(0.3 + 0.4 * done));
  const blob = await encode(painted, photograph);
  report({ kind: "colored", id, blob, name: nameOf(file, blob) });
}

async function predict({ pixels }: Photograph, size: number | null): Promise<LowResolution> {
  const { size: ownSize, smallest, predict } = await model;
  const L = shrink(pixels, size ?? ownSize);
  if (Math.min(L.width, L.height) < smallest) throw new Error("too narrow: its long side is over 70 times the short one");
  return predict(L);
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return "too large for the memory of this browser";
  return error instanceof Error ? error.message : String(error);
}
