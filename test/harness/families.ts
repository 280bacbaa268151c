// Which guest programs belong to the first of the two suites; the second has all others, so that none is left out.
export const ORDER = /^(sig|timer|timerfd|clock|thread|futex|fork|exec|wait|race|cxx)_/;
