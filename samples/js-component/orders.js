const cents = (amount) => Math.round(amount * 100) / 100;

export const pricing = {
  greet: (name) => `Hello, ${name}, from JavaScript`,

  // A thrown value becomes the `err` of the WIT result.
  price(lines, taxPercent) {
    const unsellable = lines.findIndex((line) => line.quantity === 0 || line.unitPrice < 0);
    if (unsellable >= 0) throw `line ${unsellable + 1} (${lines[unsellable].product}) cannot be sold`;
    const net = lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0);
    const tax = (net * taxPercent) / 100;
    return { net: cents(net), tax: cents(tax), gross: cents(net + tax) };
  },
};
