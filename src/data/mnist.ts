/** MNIST and its relatives (Fashion-MNIST, KMNIST …) from IDX files. */
import { ShapeError } from '../core/errors.ts';
import { formatShape } from '../core/shape.ts';
import { parseIdxAs } from '../io/idx.ts';
import { fromColumns } from './create.ts';
import type { Examples } from './generated.ts';

/**
 * A dataset from the bytes of an IDX file of images, (n, height, width), and one of labels, (n), gzipped or not: x
 * (height, width, 1), bytes that become 0 … 1 on the device, y the class as int32. For browsers, which have no folders.
 *
 * @throws FormatError for a damaged file; ShapeError where images and labels do not fit together.
 */
export const idxImages = (images: Uint8Array, labels: Uint8Array): Examples =>
  imagesOf('idxImages', ['the images', images], ['the labels', labels]);

type Named = readonly [name: string, bytes: Uint8Array];

export function imagesOf(op: string, [imagesName, images]: Named, [labelsName, labels]: Named): Examples {
  const x = parseIdxAs(`${op}: ${imagesName}`, images);
  const y = parseIdxAs(`${op}: ${labelsName}`, labels);
  if (x.shape.length !== 3 || x.dtype !== 'uint8') {
    throw new ShapeError(
      `${op}: ${imagesName}: expected uint8 images of shape (n, height, width), found ${x.dtype} of shape ${formatShape(x.shape)}. ` +
        `Are images and labels exchanged?`,
    );
  }
  if (y.shape.length !== 1 || y.dtype !== 'uint8' || y.shape[0] !== x.shape[0]) {
    throw new ShapeError(
      `${op}: ${labelsName}: expected ${x.shape[0]} uint8 labels, as many as ${imagesName} has images, found ${y.dtype} of shape ` +
        `${formatShape(y.shape)}. Take both files from the same set.`,
    );
  }
  return fromColumns({
    x: { ...x, shape: [...x.shape, 1], scale: 1 / 255 },
    y: { data: Int32Array.from(y.data), shape: y.shape, dtype: 'int32' },
  });
}
