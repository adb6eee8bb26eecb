/** The model: lightness in, color out, by ONNX Runtime. */

import * as ort from "onnxruntime-web/wasm";
import glueUrl from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { metadata } from "./metadata";
import type { LowResolution } from "./painting/paint";
import type { Plane } from "./painting/plane";
import { shrinkByArea } from "./painting/shrink";

ort.env.wasm.wasmPaths = { mjs: absolute(glueUrl), wasm: absolute(wasmUrl) };
// Threads share memory, which a browser allows only to pages that are isolated from others by their headers.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 4) : 1;

/** A model that is ready to predict. */
export interface Model {
  size: number; // short side in pixels at which it predicts best
  smallest: number; // side in pixels that it takes
  predict: (L: Plane) => Promise<LowResolution>;
}

export async function loadModel(url: string): Promise<Model> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the model could not be loaded (${response.status})`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const about = metadata(bytes);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });

  async function predict(L: Plane): Promise<LowResolution> {
    const input = new ort.Tensor("float32", L.values, [1, 1, L.height, L.width]);
    const { ab } = await session.run({ L: input });
    const values = ab.data as Float32Array;
    if (!values.every(Number.isFinite)) throw new Error("the model predicts NaN or infinite values");
    const [height, width] = ab.dims.slice(2);
    return { ab: { values, width, height }, guide: shrinkByArea(L, width, height) };
  }

  return { size: Number(about.get("size")), smallest: Number(about.get("smallest_side")), predict };
}

function absolute(url: string): string {
  return new URL(url, import.meta.url).href;
}
