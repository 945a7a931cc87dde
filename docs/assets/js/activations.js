// The activations of figures that move, each with its slope, as in dlnotes/numpy/activations.py.

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;
const LEAK = 0.01;

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
// e / (1 + e)^2,  e = exp(-|x|)
const sigmoid_slope = (x) => Math.exp(-Math.abs(x)) / (1 + Math.exp(-Math.abs(x))) ** 2;
const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

// Phi(x) = 1/2 + density(x) (x + x^3 / 3 + x^5 / (3 5) + x^7 / (3 5 7) + ...)
function normal_cdf(x) {
  if (Math.abs(x) > 8.5) return x > 0 ? 1 : 0;
  let [sum, term] = [x, x];
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) sum += term *= (x * x) / odd;
  return 0.5 + density(x) * sum;
}

export const ACTIVATIONS = {
  sigmoid: { word: "sigmoid", value: sigmoid, slope: sigmoid_slope },
  tanh: { word: "tanh", value: Math.tanh, slope: (x) => 4 * sigmoid_slope(2 * x) },
  relu: { word: "ReLU", value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
  leaky_relu: { word: "leaky ReLU", value: (x) => (x > 0 ? x : LEAK * x), slope: (x) => (x > 0 ? 1 : LEAK) },
  elu: { word: "ELU", value: (x) => (x > 0 ? x : Math.expm1(x)), slope: (x) => (x > 0 ? 1 : Math.exp(x)) },
  selu: {
    word: "SELU",
    value: (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)),
    slope: (x) => SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * Math.exp(x)),
  },
  softplus: { word: "softplus", value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), slope: sigmoid },
  gelu: { word: "GELU", value: (x) => x * normal_cdf(x), slope: (x) => normal_cdf(x) + x * density(x) },
  silu: { word: "SiLU", value: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) + x * sigmoid_slope(x) },
};
