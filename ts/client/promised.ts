/**
 * What a function of the user's returns, in the first of two overloads; the second one takes `T | Promise<T>`.
 *
 * With the second alone an `async` function that returns one text would not compile: TypeScript takes that for any text
 * unless every member of the union has a `then`, as here. What is synchronous never fits this type, but finds its texts in
 * it and fits the second overload with them.
 */
export type Promised<T> = Promise<T> | (Extract<T, string> & Promise<T>)
