/**
 * TensorFlow's threads. Within an operation there are as many as are given (TF_NUM_INTRAOP_THREADS); of operations that do
 * not wait for each other two run at a time: small ones leave the second core idle otherwise. Measured on two cores: the
 * tiny policy's sampling 1.04 to 1.41 times PyTorch's at batch 64, its learner's step 1.26 to 1.33 (docs/LOG.md). Results
 * do not depend on it: each operation's inputs are what the graph says.
 */
export const interOpThreads = (threads: number): string => String(Math.min(2, threads));
