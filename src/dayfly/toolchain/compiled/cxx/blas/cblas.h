/* The calls into BLAS that numpy's products compile to, as plain loops. */
#pragma once
#include <complex>

enum CBLAS_ORDER { CblasRowMajor = 101, CblasColMajor = 102 };
enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113 };
typedef CBLAS_ORDER CBLAS_LAYOUT;

namespace dayfly_blas
{
  /* A matrix as it stands in memory, seen transposed or not. */
  template <class T>
  struct view {
    T *data;
    int stride;
    bool swapped;
    T &operator()(int row, int column) const
    {
      return swapped ? data[column * stride + row] : data[row * stride + column];
    }
  };

  inline bool swaps(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose)
  {
    return (order == CblasColMajor) != (transpose != CblasNoTrans);
  }

  template <class T>
  T dot(int n, const T *x, int x_step, const T *y, int y_step)
  {
    T sum = 0;
    for (int i = 0; i < n; i++)
      sum += x[i * x_step] * y[i * y_step];
    return sum;
  }

  template <class T>
  T scaled(T beta, T value)
  {
    return beta == T(0) ? T(0) : beta * value;
  }

  template <class T>
  void gemm(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, int m, int n, int k, T alpha,
            const T *a, int a_stride, const T *b, int b_stride, T beta, T *c, int c_stride)
  {
    view<const T> left{a, a_stride, swaps(order, transpose_a)}, right{b, b_stride, swaps(order, transpose_b)};
    view<T> result{c, c_stride, order == CblasColMajor};
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        T sum = 0;
        for (int p = 0; p < k; p++)
          sum += left(i, p) * right(p, j);
        result(i, j) = alpha * sum + scaled(beta, result(i, j));
      }
  }

  /* m and n are those of the matrix before it is transposed. */
  template <class T>
  void gemv(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose, int m, int n, T alpha, const T *a, int a_stride, const T *x,
            int x_step, T beta, T *y, int y_step)
  {
    view<const T> matrix{a, a_stride, swaps(order, transpose)};
    int rows = transpose == CblasNoTrans ? m : n, columns = transpose == CblasNoTrans ? n : m;
    for (int i = 0; i < rows; i++) {
      T sum = 0;
      for (int j = 0; j < columns; j++)
        sum += matrix(i, j) * x[j * x_step];
      y[i * y_step] = alpha * sum + scaled(beta, y[i * y_step]);
    }
  }
} // namespace dayfly_blas

#define DAYFLY_BLAS(letter, T)                                                                                         \
  static inline T cblas_##letter##dot(int n, const T *x, int x_step, const T *y, int y_step)                           \
  {                                                                                                                    \
    return dayfly_blas::dot(n, x, x_step, y, y_step);                                                                  \
  }                                                                                                                    \
  static inline void cblas_##letter##gemm(CBLAS_ORDER order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n,     \
                                          int k, T alpha, const T *a, int as, const T *b, int bs, T beta, T *c, int cs) \
  {                                                                                                                    \
    dayfly_blas::gemm(order, ta, tb, m, n, k, alpha, a, as, b, bs, beta, c, cs);                                       \
  }                                                                                                                    \
  static inline void cblas_##letter##gemv(CBLAS_ORDER order, CBLAS_TRANSPOSE t, int m, int n, T alpha, const T *a,     \
                                          int as, const T *x, int xs, T beta, T *y, int ys)                            \
  {                                                                                                                    \
    dayfly_blas::gemv(order, t, m, n, alpha, a, as, x, xs, beta, y, ys);                                               \
  }
DAYFLY_BLAS(s, float)
DAYFLY_BLAS(d, double)
#undef DAYFLY_BLAS

/* Complex numbers go by address. */
#define DAYFLY_BLAS(letter, T)                                                                                   \
  static inline void cblas_##letter##dotu_sub(int n, const void *x, int xs, const void *y, int ys, void *result) \
  {                                                                                                              \
    *(T *)result = dayfly_blas::dot(n, (const T *)x, xs, (const T *)y, ys);                                      \
  }                                                                                                              \
  static inline void cblas_##letter##gemm(CBLAS_ORDER order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m,      \
                                          int n, int k, const void *alpha, const void *a, int as, const void *b, \
                                          int bs, const void *beta, void *c, int cs)                             \
  {                                                                                                              \
    dayfly_blas::gemm(order, ta, tb, m, n, k, *(const T *)alpha, (const T *)a, as, (const T *)b, bs,             \
                      *(const T *)beta, (T *)c, cs);                                                             \
  }                                                                                                              \
  static inline void cblas_##letter##gemv(CBLAS_ORDER order, CBLAS_TRANSPOSE t, int m, int n, const void *alpha, \
                                          const void *a, int as, const void *x, int xs, const void *beta,        \
                                          void *y, int ys)                                                       \
  {                                                                                                              \
    dayfly_blas::gemv(order, t, m, n, *(const T *)alpha, (const T *)a, as, (const T *)x, xs, *(const T *)beta,   \
                      (T *)y, ys);                                                                               \
  }
DAYFLY_BLAS(c, std::complex<float>)
DAYFLY_BLAS(z, std::complex<double>)
#undef DAYFLY_BLAS
