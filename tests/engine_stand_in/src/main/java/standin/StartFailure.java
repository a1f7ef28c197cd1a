package standin;

/** The engine cannot start. The message contains the reason. */
public final class StartFailure extends Exception {
  public StartFailure(String message) {
    super(message);
  }
}
