/**
 * What TensorFlow and the allocator of a process with an engine are told; they read it when the library is loaded.
 *
 * Within an operation there are as many threads as are given; of operations that do not wait for each other two run at a
 * time: small ones leave the second core idle otherwise. Measured on two cores: the tiny policy's sampling 1.04 to 1.41 times
 * PyTorch's at batch 64, its learner's step 1.26 to 1.33 (docs/LOG.md). Results do not depend on it: each operation's inputs
 * are what the graph says.
 */
export const threadVariables = (threads: number) => ({
  TF_CPP_MIN_LOG_LEVEL: '3',
  TF_NUM_INTRAOP_THREADS: String(threads),
  TF_NUM_INTEROP_THREADS: String(Math.min(2, threads)),
});

/** Of a process that runs nothing but an engine. */
export const engineVariables = (threads: number) => ({
  ...threadVariables(threads),
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  // float32 means float32 on a CUDA device, too: TensorFlow would round the factors of products to TF32's ten bits.
  NVIDIA_TF32_OVERRIDE: '0',
  // Sums on a CUDA device in one order, so that a resumed run takes the same next step bit for bit.
  TF_DETERMINISTIC_OPS: '1',
  // Large tensors come and go each step: keep their pages (measured: 4 % of a step).
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: '4294967296',
});
