/** Lightness and color joined to sRGB; the chroma of colors out of gamut is reduced, as in colorgan/kernels.py. */

import { LEVELS } from "./color";

const CHROMA_BISECTIONS = 10;
const LINE_END = 0.2068966; // the curve of Lab is a line below this cube root
const LINE_SLOPE = 7.787;
const LOW = -0.001 / 12.92; // bounds of linear sRGB that count as in gamut
const HIGH = ((1.001 + 0.055) / 1.055) ** 2.4;
const WHITE_X = 0.95047;
const WHITE_Z = 1.08883;
const LAST = LEVELS.length - 1;

function toLight(root: number): number {
  return root > LINE_END ? root * root * root : LINE_END ** 3 + (root - LINE_END) / LINE_SLOPE;
}

const red = (x: number, y: number, z: number): number =>
  3.2404813432005266 * WHITE_X * x - 1.5371515162713185 * y - 0.4985363261688878 * WHITE_Z * z;
const green = (x: number, y: number, z: number): number =>
  -0.9692549499965682 * WHITE_X * x + 1.8759900014898907 * y + 0.0415559265582928 * WHITE_Z * z;
const blue = (x: number, y: number, z: number): number =>
  0.0556466391351772 * WHITE_X * x - 0.2040413383665112 * y + 1.0573110696453443 * WHITE_Z * z;

function inGamut(r: number, g: number, b: number): boolean {
  return Math.min(r, g, b) >= LOW && Math.max(r, g, b) <= HIGH;
}

/** The largest share of the chroma that is in gamut, by bisection. */
function largestChroma(root: number, y: number, dx: number, dz: number): number {
  let scale = 0;
  for (let i = 0, step = 0.5; i < CHROMA_BISECTIONS; i++, step /= 2) {
    const x = toLight(root + dx * (scale + step));
    const z = toLight(Math.max(root + dz * (scale + step), 0));
    if (inGamut(red(x, y, z), green(x, y, z), blue(x, y, z))) scale += step;
  }
  return scale;
}

const level = (linear: number): number => LEVELS[(Math.sqrt(Math.min(Math.max(linear, 0), 1)) * LAST) | 0];

/** Write L and ab of some rows into a picture as sRGB; its alpha stays. */
export function join(L: Float32Array, ab: Float32Array, rgba: Uint8ClampedArray, firstPixel: number): void {
  for (let i = 0, at = 4 * firstPixel; i < L.length; i++, at += 4) {
    const root = (L[i] + 16) / 116;
    const y = toLight(root);
    const dx = ab[i] / 500;
    const dz = ab[L.length + i] / -200;
    let x = toLight(root + dx);
    let z = toLight(Math.max(root + dz, 0));
    if (!inGamut(red(x, y, z), green(x, y, z), blue(x, y, z))) {
      const scale = largestChroma(root, y, dx, dz);
      x = toLight(root + dx * scale);
      z = toLight(Math.max(root + dz * scale, 0));
    }
    rgba[at] = level(red(x, y, z));
    rgba[at + 1] = level(green(x, y, z));
    rgba[at + 2] = level(blue(x, y, z));
  }
}
