// The table behind dict: as std::unordered_map, but iterated in the order of insertion, as Python promises.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>

#include "faults.hpp"

PYTHONIC_NS_BEGIN
namespace show
{
  [[noreturn]] void raise_changed_size();

  template <class K, class V>
  class ordered_map
  {
    struct node {
      std::pair<const K, V> item;
      size_t hash;
      node *chained; // next in the bucket
      node *before, *after;
    };

    node **buckets_ = nullptr; // a power of two of them, none while the map is empty
    size_t bucket_bits_ = 0;
    size_t size_ = 0;
    node *first_ = nullptr, *last_ = nullptr;

    template <bool Const>
    class basic_iterator
    {
      friend class ordered_map;
      node *at_ = nullptr;
      ordered_map const *map_ = nullptr;
      size_t size_ = 0;

      basic_iterator(node *at, ordered_map const *map) : at_(at), map_(map), size_(map->size_)
      {
      }

    public:
      using iterator_category = std::forward_iterator_tag;
      using value_type = std::pair<const K, V>;
      using difference_type = std::ptrdiff_t;
      using pointer = std::conditional_t<Const, value_type const *, value_type *>;
      using reference = std::conditional_t<Const, value_type const &, value_type &>;

      basic_iterator() = default;
      operator basic_iterator<true>() const
      {
        return {at_, map_};
      }
      reference operator*() const
      {
        return at_->item;
      }
      pointer operator->() const
      {
        return &at_->item;
      }
      basic_iterator &operator++()
      {
        if (map_->size_ != size_)
          raise_changed_size();
        at_ = at_->after;
        return *this;
      }
      basic_iterator operator++(int)
      {
        basic_iterator old = *this;
        ++*this;
        return old;
      }
      bool operator==(basic_iterator const &other) const
      {
        return at_ == other.at_;
      }
    };

    // The high bits of a product: the hash of an int is the int, and keys are often multiples of something.
    size_t bucket(size_t hash) const
    {
      return static_cast<uint32_t>(hash * 0x9e3779b9u) >> (32 - bucket_bits_);
    }

    void rehash(size_t bits)
    {
      delete[] buckets_;
      buckets_ = nullptr;
      buckets_ = new node *[size_t{1} << bits]();
      bucket_bits_ = bits;
      for (node *each = first_; each; each = each->after) {
        node *&head = buckets_[bucket(each->hash)];
        each->chained = head;
        head = each;
      }
    }

    node *find_node(K const &key, size_t hash) const
    {
      if (!buckets_)
        return nullptr;
      node *each = buckets_[bucket(hash)];
      while (each && (each->hash != hash || !(each->item.first == key)))
        each = each->chained;
      return each;
    }

    node *insert(K const &key, size_t hash)
    {
      if (!buckets_ || size_ >= size_t{1} << bucket_bits_)
        rehash(buckets_ ? bucket_bits_ + 1 : 3);
      node *made = new node{{key, V()}, hash, nullptr, last_, nullptr};
      (last_ ? last_->after : first_) = made;
      last_ = made;
      node *&head = buckets_[bucket(hash)];
      made->chained = head;
      head = made;
      size_++;
      return made;
    }

    void remove(node *gone)
    {
      node **link = &buckets_[bucket(gone->hash)];
      while (*link != gone)
        link = &(*link)->chained;
      *link = gone->chained;
      (gone->before ? gone->before->after : first_) = gone->after;
      (gone->after ? gone->after->before : last_) = gone->before;
      size_--;
      delete gone;
    }

    static size_t hashed(K const &key)
    {
      return std::hash<K>()(key);
    }

  public:
    using key_type = K;
    using mapped_type = V;
    using value_type = std::pair<const K, V>;
    using size_type = size_t;
    using difference_type = std::ptrdiff_t;
    using reference = value_type &;
    using const_reference = value_type const &;
    using pointer = value_type *;
    using const_pointer = value_type const *;
    using iterator = basic_iterator<false>;
    using const_iterator = basic_iterator<true>;

    ordered_map() = default;
    explicit ordered_map(size_type)
    {
    }
    template <class Begin, class End>
    ordered_map(Begin begin, End end)
    {
      for (; begin != end; ++begin) {
        auto &&item = *begin;
        (*this)[item.first] = item.second;
      }
    }
    ordered_map(ordered_map const &other) : ordered_map(other.begin(), other.end())
    {
    }
    ordered_map &operator=(ordered_map const &other) = delete;
    ~ordered_map()
    {
      clear();
      delete[] buckets_;
    }

    iterator begin()
    {
      return {first_, this};
    }
    iterator end()
    {
      return {nullptr, this};
    }
    const_iterator begin() const
    {
      return {first_, this};
    }
    const_iterator end() const
    {
      return {nullptr, this};
    }
    iterator last()
    {
      return {last_, this};
    }
    bool empty() const
    {
      return size_ == 0;
    }
    size_type size() const
    {
      return size_;
    }

    iterator find(K const &key)
    {
      return {find_node(key, hashed(key)), this};
    }
    const_iterator find(K const &key) const
    {
      return {find_node(key, hashed(key)), this};
    }
    V &operator[](K const &key)
    {
      size_t hash = hashed(key);
      node *found = find_node(key, hash);
      return (found ? found : insert(key, hash))->item.second;
    }
    size_type erase(K const &key)
    {
      node *found = find_node(key, hashed(key));
      if (found)
        remove(found);
      return found != nullptr;
    }
    void erase(const_iterator place)
    {
      remove(place.at_);
    }
    void erase(iterator place)
    {
      remove(place.at_);
    }
    void clear()
    {
      while (first_) {
        node *gone = first_;
        first_ = gone->after;
        delete gone;
      }
      last_ = nullptr;
      size_ = 0;
      for (size_t index = 0; buckets_ && index < size_t{1} << bucket_bits_; index++)
        buckets_[index] = nullptr;
    }
  };
} // namespace show
PYTHONIC_NS_END
