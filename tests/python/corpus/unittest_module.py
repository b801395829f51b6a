"""tests that run in a request"""
import unittest, unittest.mock as mock, io
class T(unittest.TestCase):
    def test_ok(self): self.assertEqual(1 + 1, 2)
    def test_bad(self): self.assertIn(3, [1])
    @unittest.skip("why")
    def test_skip(self): ...
def on_client_request():
    r = unittest.TextTestRunner(io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(T))
    m = mock.Mock(return_value=3); m(1, a=2); m.assert_called_once_with(1, a=2)
    with mock.patch("os.getcwd", return_value="/x"):
        import os; c = os.getcwd()
    return repr([r.testsRun, len(r.failures), len(r.skipped), m.call_args, c])

# GET /
