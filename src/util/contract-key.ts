/** The key of a model's metadata under which commands keep the contract of its input, in the models that they write. */
export const CONTRACT_KEY = 'bedside.contract';
