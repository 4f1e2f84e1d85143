/** Proofs over the hash tree of the log (RFC 9162 §2.1), for holders of all its leaf hashes. */
import { createCompactRange, nodeHash } from '../../assets/verify-log.mjs';

export { createCompactRange, leafHash, nodeHash } from '../../assets/verify-log.mjs';
export type { CompactRange } from '../../assets/verify-log.mjs';

/** Root of the tree over `leaves`. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  const range = createCompactRange();
  for (const leaf of leaves) range.append(leaf);
  return range.root();
}

/**
 * Hashes that prove that leaf `index` is in the tree over `leaves`, nearest first.
 * Errors: RangeError when there is no such leaf.       Source: RFC 9162 §2.1.3.1
 */
export function inclusionProof(leaves: readonly Buffer[], index: number): readonly Buffer[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`no leaf ${index} among ${leaves.length}`);
  }
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...inclusionProof(left, index), rootOf(right)]
    : [...inclusionProof(right, index - split), rootOf(left)];
}

/**
 * Hashes that prove that the tree over the first `size` leaves is a beginning of the tree over `leaves`.
 * Errors: RangeError when there are not as many.       Source: RFC 9162 §2.1.4.1
 */
export function consistencyProof(leaves: readonly Buffer[], size: number): readonly Buffer[] {
  if (!Number.isInteger(size) || size < 0 || size > leaves.length) {
    throw new RangeError(`no ${size} leaves among ${leaves.length}`);
  }
  return size === 0 ? [] : subproof(leaves, size, true);
}

export interface InclusionClaim {
  readonly leaf: Buffer;
  readonly index: number;
  readonly size: number;
  readonly root: Buffer;
  readonly proof: readonly Buffer[];
}

/** Whether `proof` shows that `leaf` is entry `index` of the tree.       Source: RFC 9162 §2.1.3.2 */
export function verifyInclusion({ leaf, index, size, root, proof }: InclusionClaim): boolean {
  if (index < 0 || index >= size) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash.equals(root);
}

export interface ConsistencyClaim {
  readonly firstSize: number;
  readonly firstRoot: Buffer;
  readonly secondSize: number;
  readonly secondRoot: Buffer;
  readonly proof: readonly Buffer[];
}

/** Whether `proof` shows that the first tree is a beginning of the second.       Source: RFC 9162 §2.1.4.2 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { firstSize, firstRoot, secondSize, secondRoot, proof } = claim;
  if (firstSize < 0 || firstSize > secondSize) return false;
  if (firstSize === secondSize) return proof.length === 0 && firstRoot.equals(secondRoot);
  if (firstSize === 0) return proof.length === 0 && firstRoot.equals(rootOf([]));
  // A first tree that is complete is its own starting point and left out of the proof.
  const [start, ...rest] = isPowerOfTwo(firstSize) ? [firstRoot, ...proof] : proof;
  if (start === undefined || proof.length === 0) return false;
  let [node, last] = [firstSize - 1, secondSize - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [first, second] = [start, start];
  for (const hash of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      first = nodeHash(hash, first);
      second = nodeHash(hash, second);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      second = nodeHash(second, hash);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && first.equals(firstRoot) && second.equals(secondRoot);
}

/**
 * Hashes of the largest subtrees that hold none of the leaves `indices`, left to right: with those leaves they make the
 * root, so that one short list proves all of them.
 * Shape:  `indices` ascending, each once, each below the number of leaves.
 */
export function setProof(leaves: readonly Buffer[], indices: readonly number[]): readonly Buffer[] {
  if (indices.length === 0) return [rootOf(leaves)];
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const left = indices.filter((index) => index < split);
  const right = indices.slice(left.length).map((index) => index - split);
  return [...setProof(leaves.slice(0, split), left), ...setProof(leaves.slice(split), right)];
}

/** A leaf and where it stands. */
export interface Member {
  readonly index: number;
  readonly leaf: Buffer;
}

/** The root that `members`, by ascending index, and their `setProof` make in a tree of `size`; null when they make none. */
export function rootOfSet(
  size: number,
  members: readonly Member[],
  proof: readonly Buffer[],
): Buffer | null {
  const isOrdered = members.every(({ index }, i) => {
    return Number.isSafeInteger(index) && index > (members[i - 1]?.index ?? -1) && index < size;
  });
  if (!isOrdered || members.length === 0 || !Number.isSafeInteger(size)) return null;
  const rest = [...proof];
  const hashOf = (start: number, end: number, inside: readonly Member[]): Buffer | null => {
    const [only] = inside;
    if (only === undefined) return rest.shift() ?? null;
    if (end - start === 1) return only.leaf;
    const middle = start + splitOf(end - start);
    const count = inside.filter(({ index }) => index < middle).length;
    const left = hashOf(start, middle, inside.slice(0, count));
    const right = left && hashOf(middle, end, inside.slice(count));
    return left && right && nodeHash(left, right);
  };
  const root = hashOf(0, size, members);
  return rest.length === 0 ? root : null;
}

function subproof(leaves: readonly Buffer[], size: number, isWhole: boolean): readonly Buffer[] {
  if (size === leaves.length) return isWhole ? [] : [rootOf(leaves)];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return size <= split
    ? [...subproof(left, size, isWhole), rootOf(right)]
    : [...subproof(right, size - split, false), rootOf(left)];
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

// No bit operators: they would cut numbers off at 32 bits.
const isOdd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);

function isPowerOfTwo(n: number): boolean {
  while (n > 1 && !isOdd(n)) n = half(n);
  return n === 1;
}
