/** Pull of a channel's factor toward 1, as a share of its variance. */
export const SHRINKAGE = 0.02;
