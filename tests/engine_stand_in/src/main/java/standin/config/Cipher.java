package standin.config;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Implements {@code ${encrypt:}} and {@code ${hash:}}. As in the real engine the key is the same everywhere, so this
 * only obscures values. A random part makes each encryption of the same text different.
 */
final class Cipher {
  private static final byte[] KEY = "engine-stand-in!".getBytes(StandardCharsets.US_ASCII);
  private static final int NONCE = 12;
  private static final String HASH_PREFIX = "pbkdf2:";
  private static final SecureRandom RANDOM = new SecureRandom();

  private Cipher() {}

  static byte[] encrypt(String clear) {
    byte[] nonce = random(NONCE);
    byte[] secret = run(javax.crypto.Cipher.ENCRYPT_MODE, nonce, clear.getBytes(StandardCharsets.UTF_8));
    byte[] result = Arrays.copyOf(nonce, NONCE + secret.length);
    System.arraycopy(secret, 0, result, NONCE, secret.length);
    return result;
  }

  static String decrypt(byte[] secret) {
    byte[] nonce = Arrays.copyOf(secret, NONCE);
    byte[] clear = run(javax.crypto.Cipher.DECRYPT_MODE, nonce, Arrays.copyOfRange(secret, NONCE, secret.length));
    return new String(clear, StandardCharsets.UTF_8);
  }

  static String hash(String clear) {
    byte[] salt = random(8);
    return HASH_PREFIX + HexFormat.of().formatHex(salt) + ":" + HexFormat.of().formatHex(derive(clear, salt));
  }

  /** A password in the file may be hashed or in clear text. */
  static boolean matches(String stored, String given) {
    if (stored.startsWith(HASH_PREFIX)) {
      String[] parts = stored.split(":");
      return MessageDigest.isEqual(HexFormat.of().parseHex(parts[2]), derive(given, HexFormat.of().parseHex(parts[1])));
    }
    return MessageDigest.isEqual(stored.getBytes(StandardCharsets.UTF_8), given.getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] derive(String clear, byte[] salt) {
    try {
      var spec = new PBEKeySpec(clear.toCharArray(), salt, 1000, 256);
      return SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(spec).getEncoded();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] run(int mode, byte[] nonce, byte[] input) {
    try {
      var cipher = javax.crypto.Cipher.getInstance("AES/GCM/NoPadding");
      cipher.init(mode, new SecretKeySpec(KEY, "AES"), new GCMParameterSpec(128, nonce));
      return cipher.doFinal(input);
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException("The encrypted value is damaged", e);
    }
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    RANDOM.nextBytes(bytes);
    return bytes;
  }
}
