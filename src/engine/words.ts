// Words of ONNX Runtime about a failure, made readable: the node and the reason, without source files or signatures.

/** As much as one line of an error may say. */
const MOST = 400;

/**
 * A message of ONNX Runtime, such as `node 'conv1' (Conv): channels do not fit`; other text stays as it is, on one
 * line.
 */
export function engineWords(raw: string): string {
  const text = raw
    .replace(/\s+/g, ' ')
    .replace(/\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /g, '')
    .replace(/^Load model from .*? failed: ?/i, '')
    .replace(/^(Exception during initialization|Exception caught): /i, '')
    .replace(/This is an invalid model\. /g, '')
    .trim();
  const ran =
    /^Non-zero status code returned while running (\S+) node\. Name: ?'(.*?)' Status Message: ?(.*)$/.exec(
      text,
    );
  const words = ran ? `node '${ran[2]}' (${ran[1]}): ${reasonOf(ran[3] ?? '')}` : reasonOf(text);
  return words.length > MOST ? `${words.slice(0, MOST - 1)}…` : words;
}

/** The reason without the place in the engine's sources: the text after a failed condition, or the condition itself. */
function reasonOf(text: string): string {
  const [, before = '', behind = ''] = /^(.*?)\S*\.(?:cc|h|hpp|cpp):\d+ (.*)$/.exec(text) ?? [];
  if (behind === '') return text;
  const [, told = ''] = /\bwas false\. ?(.*)$/.exec(behind) ?? [];
  // `virtual Status onnxruntime::Pad::Compute(OpKernelContext*) const condition was false.`
  const bare = behind.replace(/^.*?::\S*\(.*?\)(?: const)?(?: \[.*?\])? /, '').replace(/ was false\. ?$/, '');
  return `${before}${told || bare}`.trim() || 'no reason was given';
}
