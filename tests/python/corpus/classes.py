"""classes and inheritance"""
class Animal:
    count = 0
    def __init__(self, name):
        self.name = name
        Animal.count += 1
    def speak(self): return "..."
    def __repr__(self): return f"{type(self).__name__}({self.name!r})"
class Dog(Animal):
    def speak(self): return super().speak() + "woof"
def on_client_request():
    d = Dog("Rex")
    return f"{d} {d.speak()} {Animal.count} {isinstance(d, Animal)} {Dog.__mro__} {vars(d)}"

# GET /
# GET /
